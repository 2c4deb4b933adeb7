/** All shortcuts in one table. */
import { Modal } from 'antd';
import { useTranslation } from 'react-i18next';
import { COMMANDS } from './shortcuts.ts';

export function Overlay({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const rows: readonly (readonly [readonly string[], string])[] = [
    ...COMMANDS.map((command) => [command.keys, t(`keys.${command.name}`)] as const),
    [['Enter'], t('keys.send')],
    [['Shift', 'Enter'], t('keys.newline')],
    [['Esc'], t('keys.leave')],
  ];
  return (
    <Modal
      closable={{ 'aria-label': t('common.close') }}
      open
      title={t('keys.heading')}
      footer={null}
      onCancel={onClose}
      width={420}
      centered
    >
      <dl className="keys">
        {rows.map(([keys, meaning]) => (
          <div key={meaning}>
            <dt>{meaning}</dt>
            <dd>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}
