/**
 * The console's one connection: the SDK's client and the rows it keeps up to date. Owns tickets, what the end of a
 * session means, and waking up; knows nothing of the screen.
 */
import { type Client, connect } from '@qingniao/client/connect';
import { RefusedError } from '@qingniao/client/link';
import { Close } from '@qingniao/protocol/codes';
import type { QueryClient } from '@tanstack/react-query';
import { getConversation, ticket } from '../api/calls.ts';
import { ApiError } from '../api/http.ts';
import type { User } from '../api/types.ts';
import { outboxOf } from './outbox.ts';
import { createRows, type Rows } from './rows.ts';

export interface Live {
  readonly client: Client;
  readonly rows: Rows;
  readonly me: User;
  /** What is followed besides the inbox; `follows.ts` keeps it. */
  readonly followed: Set<number>;
  close(): void;
}

/** The inbox: an agent who follows it hears of every conversation that changes. */
export const INBOX = 0;
/** Above this many unknown rows at once, fetching the list is cheaper than fetching each. */
const FEW = 5;

export function openLive(me: User, queries: QueryClient): Live {
  const reload = (): void => void queries.invalidateQueries({ queryKey: ['conversations'] });

  const rows = createRows((ids) => {
    if (ids.length > FEW) return reload();
    for (const id of ids) {
      const mark = rows.mark();
      getConversation(id).then(({ conversation }) => rows.seed([conversation], mark), reload);
    }
  });

  const { protocol, host } = window.location;
  const client = connect({
    url: `${protocol === 'https:' ? 'wss' : 'ws'}://${host}/ws`,
    me: `a${me.id}`,
    follow: [INBOX],
    store: outboxOf(me.id),
    token: freshTicket,
  });

  let wasOnline = false;
  client.on('state', (id, fields) => {
    if (id !== INBOX) rows.apply(id, fields);
    else if (fields.reload === true) reload();
  });
  client.on('status', (status) => {
    // States are not replayed: after a gap only a fresh list is right.
    if (status.phase === 'online') {
      if (wasOnline) reload();
      wasOnline = true;
    }
    // Ask over HTTP whether we are still signed in; if not, its 401 leads to the sign-in page.
    if (status.phase === 'stopped') void queries.invalidateQueries({ queryKey: ['session'] });
  });

  const wake = (): void => {
    if (document.visibilityState === 'visible') client.wake();
  };
  window.addEventListener('online', wake);
  document.addEventListener('visibilitychange', wake);
  return {
    client,
    rows,
    me,
    followed: new Set(),
    close: () => {
      window.removeEventListener('online', wake);
      document.removeEventListener('visibilitychange', wake);
      client.close();
    },
  };
}

async function freshTicket(): Promise<string> {
  try {
    return await ticket();
  } catch (cause) {
    if (cause instanceof ApiError && cause.status === 401) {
      throw new RefusedError(Close.SIGNED_OUT, cause.message);
    }
    throw cause;
  }
}
