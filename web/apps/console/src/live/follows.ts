/**
 * Which conversations this console follows. Owns the choice, within the server's limit: the open one, those assigned
 * to me, and the last few that were open, so that going back to them is instant.
 */
import { useEffect, useRef } from 'react';
import { useLive } from './context.tsx';

/** Also below `limits.follows` of any sensible server; the inbox counts as one. */
const AT_MOST = 24;
const RECENT = 4;

/** What to follow now, most important first, without repeats. */
export function chooseFollows(
  open: number | null,
  recent: readonly number[],
  mine: readonly number[],
  atMost: number,
): number[] {
  const wanted = [...(open === null ? [] : [open]), ...recent.slice(0, RECENT), ...mine];
  return [...new Set(wanted)].slice(0, atMost);
}

export function useFollows(open: number | null, mine: readonly number[]): void {
  const { client, followed } = useLive();
  const recent = useRef<readonly number[]>([]);
  const wish = mine.join(' ');

  // biome-ignore lint/correctness/useExhaustiveDependencies: `wish` is `mine` by value
  useEffect(() => {
    if (open !== null) recent.current = [open, ...recent.current.filter((id) => id !== open)];
    recent.current = recent.current.slice(0, RECENT);
    const limit = Math.min(AT_MOST, (client.limits?.follows ?? AT_MOST) - 1);
    const wanted = new Set(chooseFollows(open, recent.current, mine, limit));
    for (const id of followed) {
      if (wanted.has(id)) continue;
      followed.delete(id);
      client.unfollow(id);
    }
    for (const id of wanted) {
      if (followed.has(id)) continue;
      followed.add(id);
      client.follow(id);
    }
  }, [client, followed, open, wish]);
}
