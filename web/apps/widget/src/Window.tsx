/** The panel's frame: who is serving, trouble with the connection, messages, where to write. */

import type { RefObject } from 'preact';
import { Composer } from './Composer.tsx';
import type { Chat, Snapshot } from './chat.ts';
import type { Copy, Settings } from './contract.ts';
import { Icon } from './icons.tsx';
import { Log } from './Log.tsx';

interface Props {
  readonly chat: Chat;
  readonly now: Snapshot;
  readonly copy: Copy;
  readonly settings: Settings;
  readonly isWatched: boolean;
  /** Lost for long enough to be worth a word. */
  readonly isOffline: boolean;
  readonly field: RefObject<HTMLTextAreaElement | null>;
  close(): void;
}

export function Window(props: Props) {
  const { chat, now, copy, settings, field } = props;
  return (
    <div class="inside">
      <Header {...props} />
      <Banner {...props} />
      <Log
        chat={chat}
        now={now}
        copy={copy}
        locale={settings.locale}
        server={settings.server}
        isWatched={props.isWatched}
      />
      <Composer chat={chat} now={now} copy={copy} field={field} />
      <p class="by">{copy.by}</p>
    </div>
  );
}

function Header({ chat, now, copy, close }: Props) {
  const { status, assignee } = now.view.state;
  const canAsk = status === 'bot' || status === 'closed';
  return (
    <div class="head">
      <span class="avatar">
        <Icon name="bird" />
      </span>
      <div class="title">
        <h2 id="title">{now.site?.name || copy.title}</h2>
        <p aria-live="polite">
          <i class={`dot ${now.link === 'online' ? (status ?? '') : ''}`} />
          {serving(now, copy, assignee?.name)}
        </p>
      </div>
      {canAsk && (
        <button type="button" class="ask" onClick={chat.handoff}>
          {copy.handoff}
        </button>
      )}
      <button
        type="button"
        class="close"
        aria-label={copy.close}
        title={copy.close}
        onClick={close}
      >
        <Icon name="down" />
      </button>
    </div>
  );
}

function serving({ view, link }: Snapshot, copy: Copy, name: string | undefined): string {
  switch (view.state.status) {
    case 'open':
      return copy.serves(name || copy.agent);
    case 'waiting':
      return view.state.queue ? copy.ahead(view.state.queue.ahead) : copy.waits;
    case 'closed':
      return copy.ended;
    case 'bot':
      return copy.botServes;
    default:
      return link === 'online' ? copy.botServes : copy.connecting;
  }
}

function Banner({ chat, now, copy, isOffline }: Props) {
  if (now.link === 'banned' || now.link === 'stopped') {
    return (
      <p class="banner bad" role="alert">
        {now.link === 'banned' ? copy.banned : copy.stopped}
      </p>
    );
  }
  if (!isOffline) return null;
  return (
    <p class="banner" role="status">
      <span>{now.link === 'starting' ? copy.failedStart : copy.offline}</span>
      {now.link !== 'starting' && (
        <button type="button" onClick={chat.wake}>
          {copy.retryNow}
        </button>
      )}
    </p>
  );
}
