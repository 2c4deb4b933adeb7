/** A message of ours on its way, or refused with its reason. */
import type { Pending } from '@qingniao/client/conversation';
import { EntryType } from '@qingniao/protocol/frames';
import { useTranslation } from 'react-i18next';
import { refusal } from '../live/actions.ts';
import { useLive } from '../live/context.tsx';
import { Icon } from '../parts/icon.tsx';
import { fileOf, plainOf } from './bodies.ts';
import { Note } from './entry.tsx';
import { FileCard } from './file-card.tsx';
import { Linked } from './linked.tsx';

export function PendingPiece({ id, pending }: { id: number; pending: Pending }) {
  const { t } = useTranslation();
  const { client } = useLive();
  const isFailed = pending.state === 'failed';
  const file = pending.type === EntryType.FILE ? fileOf(pending.body) : null;
  const word = t(isFailed ? 'chat.failed' : 'chat.pending');
  return (
    <div className={`said-row said-us said-ends ${isFailed ? 'said-failed' : 'said-pending'}`}>
      {pending.type === EntryType.NOTE ? (
        <Note text={plainOf(pending.body)} time={pending.time} state={word} />
      ) : (
        <div className="bubble bubble-us">
          {file === null ? <Linked text={plainOf(pending.body)} /> : <FileCard file={file} />}
        </div>
      )}
      {isFailed ? (
        <span className="meta meta-failed" role="alert">
          <Icon name="alert" size={13} />
          {pending.error === null
            ? t('chat.failed')
            : t('chat.failed_why', { why: refusal(pending.error, t) })}
          <button
            type="button"
            className="plain-button"
            onClick={() => client.retry(id, pending.key)}
          >
            {t('common.retry')}
          </button>
          <button
            type="button"
            className="plain-button"
            onClick={() => client.discard(id, pending.key)}
          >
            {t('chat.discard')}
          </button>
        </span>
      ) : (
        pending.type !== EntryType.NOTE && (
          <span className="meta">
            <Icon name="clock" size={12} />
            {word}
          </span>
        )
      )}
    </div>
  );
}
