/** What the flow did, folded to one line: the way through it first, every decision on request. */
import type { Entry } from '@qingniao/protocol/frames';
import { useTranslation } from 'react-i18next';
import { Icon } from '../parts/icon.tsx';
import { stagesOf } from './bodies.ts';
import { stageFacts, stageName, stageVerdict, traceLine } from './trace.ts';

export function Steps({ entries }: { entries: readonly Entry[] }) {
  const { t } = useTranslation();
  const stages = entries.flatMap((entry) =>
    stagesOf(entry.body).map((stage) => ({ entry, stage })),
  );
  const line = traceLine(
    stages.map(({ stage }) => stage),
    t,
  );
  const isOfRating = stages.every(({ stage }) => stage.kind === 'rating');
  return (
    <details className="steps">
      <summary>
        <Icon name="why" size={15} />
        <span className="steps-label">{t(isOfRating ? 'chat.step_rating' : 'chat.step')}</span>
        <span className="clip">{line}</span>
      </summary>
      <ol>
        {stages.map(({ entry, stage }, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a stage never moves, and may repeat
          <li key={`${entry.seq} ${index}`}>
            <span className="stage-name">{stageName(stage, t)}</span>
            <span className="stage-verdict">{stageVerdict(stage, t)}</span>
            <span className="stage-facts">
              {stageFacts(stage, t).map(([name, value]) => (
                <span key={name}>
                  <i>{name}</i> {value}
                </span>
              ))}
            </span>
            {stage.ms !== null && <span className="stage-ms">{stage.ms.toFixed(1)} ms</span>}
          </li>
        ))}
      </ol>
    </details>
  );
}
