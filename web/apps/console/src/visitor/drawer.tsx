/** The visitor's panel where it does not fit beside the conversation. */
import { Drawer } from 'antd';
import { useTranslation } from 'react-i18next';
import { useIsPhone } from '../shell/width.ts';
import { PanelContent } from './panel.tsx';

export function PanelDrawer(props: { id: number; isOpen: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const isPhone = useIsPhone();
  return (
    <Drawer
      open={props.isOpen}
      onClose={props.onClose}
      closable={{ 'aria-label': t('common.close') }}
      title={t('visitor.label')}
      size={isPhone ? '100%' : 340}
      styles={{ body: { padding: 0 } }}
      destroyOnHidden
    >
      <div className="panel panel-drawn">
        <PanelContent id={props.id} />
      </div>
    </Drawer>
  );
}
