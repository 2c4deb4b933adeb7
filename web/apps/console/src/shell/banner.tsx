/** Says when the connection is gone, and what works nevertheless. Waits a moment, for most gaps are shorter. */
import { Button } from 'antd';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useLink, useLive } from '../live/context.tsx';
import { Icon } from '../parts/icon.tsx';

const PATIENCE_MS = 1_500;

export function LinkBanner() {
  const { t } = useTranslation();
  const { client } = useLive();
  const link = useLink();
  const isDown = link.phase !== 'online' && link.phase !== 'closed';
  const [isLate, setLate] = useState(false);
  useEffect(() => {
    setLate(false);
    if (!isDown) return;
    const timer = setTimeout(() => setLate(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [isDown]);
  const isStopped = link.phase === 'stopped';
  if (!isDown || (!isLate && !isStopped)) return null;

  const words = () => {
    if (isStopped) return t('link.stopped', { reason: link.text || String(link.code) });
    return t(navigator.onLine ? 'link.connecting' : 'link.offline');
  };
  return (
    <div className={isStopped ? 'banner banner-stopped' : 'banner'} role="status">
      <Icon name="offline" size={16} />
      <span className="banner-words">{words()}</span>
      {isStopped ? (
        <Button size="small" onClick={() => window.location.reload()}>
          {t('common.reload')}
        </Button>
      ) : (
        <Button size="small" onClick={() => client.wake()}>
          {t('link.again')}
        </Button>
      )}
    </div>
  );
}
