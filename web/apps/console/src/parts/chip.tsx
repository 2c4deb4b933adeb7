/** Who has a conversation, told by colour, by sign and by word. */
import { useTranslation } from 'react-i18next';
import type { Status } from '../api/types.ts';
import { Icon, type IconName } from './icon.tsx';

const SIGN: Record<Status, IconName> = {
  bot: 'bot',
  waiting: 'clock',
  open: 'person',
  closed: 'check',
};

export function StatusChip({ status, by }: { status: Status; by?: string | undefined }) {
  const { t } = useTranslation();
  return (
    <span className={`chip chip-${status}`}>
      <Icon name={SIGN[status]} size={12} />
      <span className="clip">{by === undefined ? t(`status.${status}`) : by}</span>
    </span>
  );
}
