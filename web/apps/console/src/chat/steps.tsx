/** What the flow did, folded to one line: the reason first, everything on request. */
import type { Entry } from '@qingniao/protocol/frames';
import { useTranslation } from 'react-i18next';
import { Icon } from '../parts/icon.tsx';
import { stepLine, stepOf } from './bodies.ts';

export function Steps({ entries }: { entries: readonly Entry[] }) {
  const { t } = useTranslation();
  const last = entries.at(-1);
  if (last === undefined) return null;
  return (
    <details className="steps">
      <summary>
        <Icon name="why" size={15} />
        <span className="steps-label">{t('chat.step')}</span>
        <span className="clip">{stepLine(last.body)}</span>
      </summary>
      {entries.map((entry) => (
        <dl key={entry.seq}>
          {stepOf(entry.body).map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      ))}
    </details>
  );
}
