/** Above the conversation: with whom, who has it and why, and what can be done. */
import type { InboxItem } from '@qingniao/client/inbox';
import { EntryType } from '@qingniao/protocol/frames';
import { Button } from 'antd';
import type { TFunction } from 'i18next';
import { useTranslation } from 'react-i18next';
import type { View } from '../api/types.ts';
import { visitorName } from '../format/names.ts';
import { moment, stopwatch } from '../format/time.ts';
import { whyText } from '../inbox/why.ts';
import { useActions } from '../live/actions.ts';
import { useView } from '../live/context.tsx';
import { Avatar } from '../parts/avatar.tsx';
import { StatusChip } from '../parts/chip.tsx';
import { Icon } from '../parts/icon.tsx';
import { useNow } from '../parts/now.ts';
import { goBack, navigate } from '../router/router.ts';
import { useIsPhone } from '../shell/width.ts';
import { type Story, storyOf } from './story.ts';

interface HeaderProps {
  readonly id: number;
  readonly view: View;
  readonly row: InboxItem | undefined;
  readonly me: number;
}

export function Header({ id, view, row, me }: HeaderProps) {
  const { t, i18n } = useTranslation();
  const story = storyOf(useView(id).entries);
  // On a phone the conversation is the page; elsewhere it is a part of the inbox.
  const Name = useIsPhone() ? 'h1' : 'h2';
  const now = useNow(1_000);
  const name = row === undefined ? '' : visitorName(row.visitor, t);
  return (
    <header className="chat-head">
      <button
        type="button"
        className="plain-button chat-back"
        aria-label={t('common.back')}
        onClick={() => goBack({ name: 'inbox', view, id: null, panel: false })}
      >
        <Icon name="back" size={22} />
      </button>
      {row === undefined ? (
        <div className="chat-who" aria-hidden="true">
          <span className="bone" style={{ width: 120, height: 18 }} />
          <span className="bone" style={{ width: 200, height: 13, marginTop: 6 }} />
        </div>
      ) : (
        <>
          <Avatar id={row.visitor.id} name={name} size={36} online={row.online} />
          <div className="chat-who">
            <Name className="chat-name">
              <span className="clip">{name}</span>
              <StatusChip status={row.status} />
            </Name>
            <p className="chat-why clip">{whoHas(row, story, me, now, t, i18n.language)}</p>
          </div>
          <Buttons row={row} me={me} />
        </>
      )}
      <button
        type="button"
        className="plain-button chat-details"
        aria-label={t('chat.details')}
        onClick={() => navigate({ name: 'inbox', view, id, panel: true })}
      >
        <Icon name="person" size={20} />
      </button>
    </header>
  );
}

/** Who has it and why, in one line. */
function whoHas(
  row: InboxItem,
  story: Story,
  me: number,
  now: number,
  t: TFunction,
  locale: string,
): string {
  const why = [
    ...teamWords(row, t),
    ...reasons(row, story).map((reason) => whyText(reason, t)),
  ].join(' · ');
  const has = why !== '';
  switch (row.status) {
    case 'bot':
      return t('chat.who.bot');
    case 'closed':
      return t('chat.who.closed', { when: moment(row.since, now, t, locale) });
    case 'waiting': {
      const wait = stopwatch(now - row.since, t);
      return has ? t('chat.who.waiting_why', { wait, why }) : t('chat.who.waiting', { wait });
    }
    case 'open': {
      if (row.assignee?.id === me)
        return has ? t('chat.who.mine_why', { why }) : t('chat.who.mine');
      const name = row.assignee?.name ?? t('chat.sender.colleague');
      return has ? t('chat.who.other_why', { name, why }) : t('chat.who.other', { name });
    }
  }
}

/** For whom it was meant. */
function teamWords(row: InboxItem, t: TFunction): string[] {
  const name = row.team?.name ?? '';
  return name === '' ? [] : [t('chat.for_team', { name })];
}

/** Why it came to people, and why to this one. */
function reasons(row: InboxItem, { handedOver, given }: Story): string[] {
  const own = row.why ?? '';
  return [...new Set([handedOver, own, given])].filter(
    (reason) => reason !== '' && reason !== 'took',
  );
}

function Buttons({ row, me }: { row: InboxItem; me: number }) {
  const { t } = useTranslation();
  const actions = useActions();
  const { pending } = useView(row.id);
  const isActing = pending.some((one) => one.type === EntryType.ACTION && one.state !== 'failed');
  const isMine = row.status === 'open' && row.assignee?.id === me;
  if (isMine) {
    return (
      <div className="chat-buttons">
        <Button
          disabled={isActing}
          onClick={() => actions.giveBack(row.id)}
          icon={<Icon name="bot" size={16} />}
          aria-label={t('chat.return')}
        >
          <span className="button-words">{t('chat.return')}</span>
        </Button>
        <Button type="primary" disabled={isActing} onClick={() => actions.close(row.id)}>
          {t('chat.close')}
        </Button>
      </div>
    );
  }
  return (
    <div className="chat-buttons">
      <Button className="chat-take" loading={isActing} onClick={() => actions.take(row.id)}>
        {t(row.status === 'closed' ? 'composer.reopen' : 'chat.take')}
      </Button>
    </div>
  );
}
