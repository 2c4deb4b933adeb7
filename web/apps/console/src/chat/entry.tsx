/** One entry of the conversation, whatever its type. */
import { type Entry, EntryType } from '@qingniao/protocol/frames';
import { memo } from 'react';
import { useTranslation } from 'react-i18next';
import { clock } from '../format/time.ts';
import { Icon } from '../parts/icon.tsx';
import { AnswerCard } from './answer.tsx';
import { fileOf, plainOf, ratingOf, statusOf } from './bodies.ts';
import { FileCard } from './file-card.tsx';
import { statusLine } from './line.ts';
import { Linked } from './linked.tsx';
import type { Story } from './story.ts';

interface EntryProps {
  readonly entry: Entry;
  /** The last of its group: shows the time. */
  readonly ends: boolean;
  readonly me: string;
  /** What the visitor has read. */
  readonly readSeq: number;
  readonly story: Story;
}

export const EntryPiece = memo(function EntryPiece(props: EntryProps) {
  const { entry, story } = props;
  const { t } = useTranslation();
  switch (entry.type) {
    case EntryType.TEXT:
    case EntryType.FILE:
      return <Bubble {...props} />;
    case EntryType.ANSWER:
      return <AnswerCard body={entry.body} time={entry.time} />;
    case EntryType.STATUS: {
      const body = statusOf(entry.body);
      if (body === null) return null;
      return (
        <p className={`line line-${body.to}`}>
          {clock(entry.time)} ·{' '}
          {statusLine(body, story.waits.get(entry.seq) ?? null, story.names.get(body.by) ?? '', t)}
        </p>
      );
    }
    case EntryType.SUMMARY:
      return (
        <div className="card card-summary">
          <p className="card-head">
            <Icon name="hand" size={14} />
            {t('chat.summary')}
          </p>
          <Linked text={plainOf(entry.body)} />
        </div>
      );
    case EntryType.NOTE:
      return <Note text={plainOf(entry.body)} time={entry.time} />;
    case EntryType.RATING: {
      const rating = ratingOf(entry.body);
      if (rating === null) return null;
      return (
        <p className="line line-rating">
          <Icon name={rating.isOfAnswer ? 'bot' : 'star'} size={14} />
          {rating.isOfAnswer ? t(thumb(rating.score)) : t('chat.rating', { score: rating.score })}
          {rating.comment !== '' && ` · ${rating.comment}`}
        </p>
      );
    }
    default:
      return <p className="line">{t('chat.unsupported')}</p>;
  }
});

/** What a visitor says of one answer, in words. */
const thumb = (score: number) => {
  if (score === 0) return 'chat.thumb_none';
  return score > 3 ? 'chat.thumb_good' : 'chat.thumb_bad';
};

function Bubble({ entry, ends, me, readSeq, story }: EntryProps) {
  const { t } = useTranslation();
  const isVisitor = entry.sender === 'v';
  const isOwn = entry.sender === me;
  const file = entry.type === EntryType.FILE ? fileOf(entry.body) : null;
  const side = isVisitor ? 'them' : 'us';
  return (
    <div className={`said-row said-${side}${ends ? ' said-ends' : ''}`}>
      <div className={`bubble bubble-${side}${isOwn ? '' : ' bubble-other'}`}>
        {!isVisitor && !isOwn && (
          <span className="bubble-who">
            {story.names.get(entry.sender) ?? t('chat.sender.colleague')}
          </span>
        )}
        {file === null ? <Linked text={plainOf(entry.body)} /> : <FileCard file={file} />}
      </div>
      {ends && (
        <span className="meta">
          <time dateTime={new Date(entry.time).toISOString()}>{clock(entry.time)}</time>
          {!isVisitor && (
            <span className={entry.seq <= readSeq ? 'mark mark-read' : 'mark'}>
              <Icon name={entry.seq <= readSeq ? 'checks' : 'check'} size={13} />
              {t(entry.seq <= readSeq ? 'chat.read' : 'chat.sent')}
            </span>
          )}
        </span>
      )}
    </div>
  );
}

export function Note(props: { text: string; time: number; state?: string }) {
  const { t } = useTranslation();
  return (
    <div className="card card-note">
      <p className="card-head">
        <Icon name="note" size={14} />
        {t('chat.note')} · {t('chat.note_only')}
        <span className="card-time">{props.state ?? clock(props.time)}</span>
      </p>
      <Linked text={props.text} />
    </div>
  );
}
