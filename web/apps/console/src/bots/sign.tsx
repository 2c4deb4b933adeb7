/** How a bot looks in small: the sign of its platform, and its state by colour, shape and word. */
import { useTranslation } from 'react-i18next';
import { Icon, type IconName } from '../parts/icon.tsx';
import type { BotState } from './state.ts';
import { signOf } from './words.ts';

export function Sign({ kind, size = 34 }: { kind: string; size?: number }) {
  return (
    <span
      className={`bot-sign bot-sign-${kind}`}
      style={{ width: size, height: size }}
      aria-hidden="true"
    >
      {signOf(kind)}
    </span>
  );
}

const MARK: Record<BotState, IconName> = {
  draft: 'note',
  checking: 'clock',
  ill: 'alert',
  failing: 'alert',
  slow: 'clock',
  well: 'check',
};

export function StateChip({ state }: { state: BotState }) {
  const { t } = useTranslation();
  return (
    <span className={`chip bot-state-${state}`}>
      <Icon name={MARK[state]} size={12} />
      {t(`bots.state.${state}`)}
    </span>
  );
}
