/** The agent's workplace: list, conversation, visitor. Owns which of them is on screen and the keys between them. */
import { lazy, Suspense, useCallback, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { View } from '../api/types.ts';
import { Chat } from '../chat/chat.tsx';
import { useCommands } from '../keys/commands.ts';
import { useActions, useRefusals } from '../live/actions.ts';
import { useRows } from '../live/context.tsx';
import { useFollows } from '../live/follows.ts';
import { Blank } from '../parts/blank.tsx';
import type { InboxRoute } from '../router/route.ts';
import { goBack, navigate } from '../router/router.ts';
import { useIsWide } from '../shell/width.ts';
import { useMe } from '../signin/session.ts';
import { List } from './list.tsx';
import { neighbour } from './order.ts';
import { useList, useOverview } from './queries.ts';

const Panel = lazy(() => import('../visitor/panel.tsx').then((m) => ({ default: m.Panel })));
const PanelDrawer = lazy(() =>
  import('../visitor/drawer.tsx').then((m) => ({ default: m.PanelDrawer })),
);

export function Inbox({ route }: { route: InboxRoute }) {
  const { view, id, panel } = route;
  const { t } = useTranslation();
  const me = useMe();
  const [q, setQ] = useState('');
  const list = useList(view, q);
  const all = useList('all', '', { enabled: view === 'all' });
  const overview = useOverview(view === 'all' && !all.isLoading ? all : null);
  const order = useRef<readonly number[]>([]);
  const searchInput = useRef<HTMLInputElement>(null);
  const isWide = useIsWide();
  const rows = useRows();
  const actions = useActions();
  useRefusals();
  useFollows(
    id,
    overview.mine.rows.map((row) => row.id),
  );

  const open = useCallback(
    (next: number | null) => {
      if (next === null || next === id) return;
      // One step back leads out of the conversations, however many were walked through.
      navigate({ name: 'inbox', view, id: next, panel: false }, { replace: id !== null });
    },
    [view, id],
  );
  const closePanel = () => goBack({ name: 'inbox', view, id, panel: false });

  const row = id === null ? undefined : rows.get(id);
  const isMine = row?.status === 'open' && row.assignee?.id === me.id;
  useCommands({
    next: () => open(neighbour(order.current, id, 1)),
    previous: () => open(neighbour(order.current, id, -1)),
    search: () => searchInput.current?.focus(),
    ...(id !== null && isMine ? { close: () => actions.close(id) } : {}),
    ...(id !== null && row !== undefined && !isMine ? { take: () => actions.take(id) } : {}),
  });
  useFollowTaken(id, isMine, view);

  return (
    <main className={id === null ? 'inbox' : 'inbox inbox-open'}>
      <List
        view={view}
        open={id}
        list={list}
        overview={overview}
        q={q}
        onSearch={setQ}
        searchInput={searchInput}
        onOrder={(ids) => {
          order.current = ids;
        }}
      />
      {id === null ? (
        <section className="chat chat-none" aria-label={t('chat.label')}>
          <Blank icon="inbox" title={t('inbox.pick')} text={t('inbox.pick_text')} />
        </section>
      ) : (
        <Chat key={id} id={id} view={view} />
      )}
      {id !== null && (
        <Suspense fallback={isWide ? <aside className="panel" /> : null}>
          {isWide ? (
            <Panel key={id} id={id} />
          ) : (
            <PanelDrawer id={id} isOpen={panel} onClose={closePanel} />
          )}
        </Suspense>
      )}
    </main>
  );
}

/** A conversation that I take leaves the queue: go along with it to my own. */
function useFollowTaken(id: number | null, isMine: boolean, view: View): void {
  const wasMine = useRef({ id, isMine });
  useEffect(() => {
    const before = wasMine.current;
    wasMine.current = { id, isMine };
    if (id !== null && before.id === id && !before.isMine && isMine && view === 'waiting') {
      navigate({ name: 'inbox', view: 'mine', id, panel: false }, { replace: true });
    }
  }, [id, isMine, view]);
}
