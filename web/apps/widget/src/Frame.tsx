/** The panel's frame: who is serving, trouble with the connection, messages, where to write. */

import { Composer } from './Composer.tsx';
import type { Snapshot } from './chat.ts';
import type { Copy } from './contract.ts';
import { type Child, h } from './h.ts';
import { Bird, Icon } from './icons.tsx';
import { Log } from './Log.tsx';
import type { Scene } from './scene.ts';

export function Frame({ scene }: { scene: Scene }): Child {
  return [
    <Head scene={scene} />,
    <Banner scene={scene} />,
    <Log scene={scene} />,
    <Composer scene={scene} />,
    <p class="by">{scene.copy.by}</p>,
  ];
}

function Head({ scene: { chat, now, copy, close } }: { scene: Scene }) {
  const { status } = now.view.state;
  const canAsk = now.isReady && (status === 'bot' || status === 'closed');
  return (
    <div class="head">
      <span class="avatar">
        <Bird />
      </span>
      <div class="title">
        <h2 id="title">{now.site?.name || copy.title}</h2>
        <p aria-live="polite">
          <i class={`dot ${now.link === 'online' ? status : ''}`} />
          {serving(now, copy)}
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

function serving({ view, link }: Snapshot, copy: Copy): string {
  const { status, queue, assignee } = view.state;
  if (link === 'banned' || link === 'stopped') return copy.away;
  if (status === 'open') return copy.serves(assignee?.name || copy.agent);
  if (status === 'waiting') return queue ? copy.ahead(queue.ahead) : copy.waits;
  if (status === 'closed') return copy.ended;
  return status || link === 'online' ? copy.botServes : copy.connecting;
}

function Banner({ scene: { chat, now, copy, isOffline } }: { scene: Scene }): Child {
  if (now.link === 'banned' || now.link === 'stopped') {
    return (
      <p class="banner bad" role="alert">
        {now.link === 'banned' ? copy.banned : copy.stopped}
      </p>
    );
  }
  // Never yet connected: nothing was lost, and there is nothing to hurry.
  const isNew = !now.view.state.status;
  return (
    isOffline && (
      <p class="banner" role="status">
        <span>{isNew ? copy.failedStart : copy.offline}</span>
        {!isNew && (
          <button type="button" onClick={chat.wake}>
            {copy.retryNow}
          </button>
        )}
      </p>
    )
  );
}
