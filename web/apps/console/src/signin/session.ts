/** Who is signed in, as a query. Owns its key and the two ways it changes from outside: signed out, password forced. */
import { type QueryClient, useQuery, useQueryClient } from '@tanstack/react-query';
import { whoAmI } from '../api/calls.ts';
import { ApiError, onApiError } from '../api/http.ts';
import type { User } from '../api/types.ts';

const SESSION = ['session'] as const;

/** The user, or `null` for nobody. */
export function useSession() {
  return useQuery<User | null>({
    queryKey: SESSION,
    queryFn: async ({ signal }) => {
      try {
        return await whoAmI(signal);
      } catch (cause) {
        if (cause instanceof ApiError && cause.status === 401) return null;
        throw cause;
      }
    },
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
}

export function keepUser(queries: QueryClient, user: User | null): void {
  queries.setQueryData(SESSION, user);
  // What the last one saw is not for the next one. The session itself stays: the gate is watching it.
  if (user === null)
    queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== SESSION[0] });
}

/** The signed-in user, for everything inside the shell. */
export function useMe(): User {
  const user = useQueryClient().getQueryData<User | null>(SESSION);
  const live = useSession().data ?? user;
  if (live === null || live === undefined) throw new Error('rendered outside of a session');
  return live;
}

/** Follow what other calls reveal about the session: it ended, or the password must change first. */
export function watchSession(queries: QueryClient): () => void {
  return onApiError((error) => {
    const user = queries.getQueryData<User | null>(SESSION);
    if (user === null || user === undefined) return;
    if (error.status === 401 && error.code !== 'wrong_password') keepUser(queries, null);
    if (error.code === 'must_change_password') {
      queries.setQueryData(SESSION, { ...user, must_change_password: true });
    }
  });
}
