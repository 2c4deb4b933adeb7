/** One conversation in the list: who, what they said last, who has it and why, how much is unread. */
import { type InboxItem, unread } from '@qingniao/client/inbox';
import type { TFunction } from 'i18next';
import { memo } from 'react';
import { useTranslation } from 'react-i18next';
import type { View } from '../api/types.ts';
import { badge, visitorName } from '../format/names.ts';
import { ago, stopwatch } from '../format/time.ts';
import { useView } from '../live/context.tsx';
import { Avatar } from '../parts/avatar.tsx';
import { StatusChip } from '../parts/chip.tsx';
import { linkTo } from '../router/router.ts';
import { whyText } from './why.ts';

/** Whether the reason still matters; that somebody took it is told by who has it. */
function isTelling(row: InboxItem): boolean {
  if (row.why === null || row.why === '' || row.why === 'took') return false;
  return row.status === 'waiting' || row.status === 'open';
}

interface RowProps {
  readonly row: InboxItem;
  readonly view: View;
  readonly me: number;
  readonly now: number;
  readonly isOpen: boolean;
  readonly top: number;
  readonly position: number;
  readonly size: number;
}

export const Row = memo(function Row(props: RowProps) {
  const { row, view, me, now, isOpen, top, position, size } = props;
  const { t, i18n } = useTranslation();
  const { typing } = useView(row.id);
  const name = visitorName(row.visitor, t);
  const count = isOpen && document.hasFocus() ? 0 : unread(row);
  const owner = row.status === 'open' ? row.assignee : null;
  const isWaiting = row.status === 'waiting';
  const isTyping = typing !== null && typing.sender === 'v';
  return (
    <li
      className="row-slot"
      style={{ transform: `translateY(${top}px)` }}
      aria-setsize={size}
      aria-posinset={position}
    >
      <a
        className={isOpen ? 'row row-open' : 'row'}
        data-id={row.id}
        aria-current={isOpen ? 'true' : undefined}
        {...linkTo({ name: 'inbox', view, id: row.id, panel: false })}
      >
        <Avatar id={row.visitor.id} name={name} online={row.online} />
        <span className="row-main">
          <span className="row-line">
            <span className="row-name clip">{name}</span>
            <span className="hidden-text">{t(row.online ? 'inbox.online' : 'inbox.offline')}</span>
            <time
              className={isWaiting ? 'row-time row-wait' : 'row-time'}
              dateTime={new Date(row.time).toISOString()}
            >
              {isWaiting ? stopwatch(now - row.since, t) : ago(row.time, now, t, i18n.language)}
            </time>
          </span>
          <span className={isTyping ? 'row-preview row-typing clip' : 'row-preview clip'}>
            {isTyping ? typingText(typing.preview, t) : previewText(row, me, t)}
          </span>
          <span className="row-line row-foot">
            <StatusChip
              status={row.status}
              by={
                owner !== null && owner.id !== me ? t('status.by', { name: owner.name }) : undefined
              }
            />
            {isTelling(row) && <span className="row-why clip">{whyWords(row, t)}</span>}
            {count > 0 && (
              <span
                className={
                  row.status === 'bot' || row.status === 'closed' ? 'badge badge-quiet' : 'badge'
                }
              >
                <span aria-hidden="true">{badge(count)}</span>
                <span className="hidden-text">{t('inbox.unread', { count })}</span>
              </span>
            )}
          </span>
        </span>
      </a>
    </li>
  );
});

/** For whom it is meant, and why. */
function whyWords(row: InboxItem, t: TFunction): string {
  const why = whyText(row.why ?? '', t);
  const team = row.team?.name ?? '';
  return team === '' ? why : `${t('chat.for_team', { name: team })} · ${why}`;
}

function typingText(preview: string, t: TFunction): string {
  return preview === '' ? t('inbox.typing_bare') : t('inbox.typing', { preview });
}

function previewText(row: InboxItem, me: number, t: TFunction): string {
  const text = row.preview.replace(/\s+/g, ' ').trim();
  if (row.sender === `a${me}`) return t('inbox.you', { text });
  if (row.sender === 'b') return t('inbox.bot', { text });
  if (row.assignee !== null && row.sender === `a${row.assignee.id}`) {
    return t('inbox.colleague', { name: row.assignee.name, text });
  }
  return text;
}
