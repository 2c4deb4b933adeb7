/** The live connection for React: who may use it, and its parts as state. */
import type { Conversation as View } from '@qingniao/client/conversation';
import type { Inbox } from '@qingniao/client/inbox';
import type { LinkStatus } from '@qingniao/client/link';
import { useQueryClient } from '@tanstack/react-query';
import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useState,
  useSyncExternalStore,
} from 'react';
import type { User } from '../api/types.ts';
import { type Live, openLive } from './live.ts';

const LiveContext = createContext<Live | null>(null);

/** Connects while mounted; another user is another connection. */
export function LiveProvider({ user, children }: { user: User; children: ReactNode }) {
  const queries = useQueryClient();
  const [live, setLive] = useState<Live | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new name or language is the same person
  useEffect(() => {
    const opened = openLive(user, queries);
    setLive(opened);
    return () => opened.close();
  }, [user.id, queries]);
  if (live === null) return null;
  return <LiveContext value={live}>{children}</LiveContext>;
}

export function useLive(): Live {
  const live = useContext(LiveContext);
  if (live === null) throw new Error('rendered outside of a connection');
  return live;
}

export function useRows(): Inbox {
  const { rows } = useLive();
  return useSyncExternalStore(rows.subscribe, rows.current);
}

export function useLink(): LinkStatus {
  const { client } = useLive();
  const subscribe = useCallback((changed: () => void) => client.on('status', changed), [client]);
  return useSyncExternalStore(subscribe, () => client.status);
}

/** One conversation as the connection knows it. */
export function useView(id: number): View {
  const { client } = useLive();
  const subscribe = useCallback(
    (changed: () => void) =>
      client.on('conversation', (view) => {
        if (view.id === id) changed();
      }),
    [client, id],
  );
  return useSyncExternalStore(subscribe, () => client.view(id));
}
