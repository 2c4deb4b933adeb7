/** The conversation lists: pages fetched as they are needed, with the live rows over them. Owns when to fetch. */
import { type Inbox, type InboxItem, unread } from '@qingniao/client/inbox';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { listConversations } from '../api/calls.ts';
import type { Counts, View } from '../api/types.ts';
import { useLive, useRows } from '../live/context.tsx';
import { cursorOf, horizonOf, within } from './horizon.ts';

const REFRESH_MS = 60_000;

export interface List {
  readonly rows: readonly InboxItem[];
  /** The whole view's size, as exactly as it is known. */
  readonly count: number;
  readonly isLoading: boolean;
  readonly error: unknown;
  readonly hasMore: boolean;
  loadMore(): void;
  retry(): void;
}

function usePages(view: View, q: string, enabled: boolean) {
  const { rows } = useLive();
  return useInfiniteQuery({
    queryKey: ['conversations', view, q],
    queryFn: async ({ pageParam, signal }) => {
      const mark = rows.mark();
      const page = await listConversations(
        { view, q, ...(pageParam === null ? {} : { before: pageParam }) },
        signal,
      );
      rows.seed(page.conversations, mark);
      return page;
    },
    initialPageParam: null as number | null,
    getNextPageParam: (page) => {
      const last = page.conversations.at(-1);
      return page.more && last !== undefined ? cursorOf(view, last) : undefined;
    },
    staleTime: REFRESH_MS,
    // What lies beyond the pages is only counted by the server.
    refetchInterval: ({ state }) => {
      const isPartial = state.data?.pages.at(-1)?.more === true;
      return q === '' && (view === 'mine' || isPartial) ? REFRESH_MS : false;
    },
    enabled,
  });
}

/** A view's list, live; with `q` the server's matches in the server's order. */
export function useList(view: View, q: string, { enabled = true } = {}): List {
  const { me } = useLive();
  const inbox = useRows();
  const pages = usePages(view, q, enabled);
  const data = pages.data;
  const rows = useMemo(() => {
    if (data === undefined) return [];
    if (q === '') return within(inbox, view, me.id, horizonOf(view, data.pages));
    const found = data.pages.flatMap((page) => page.conversations);
    return found.map((row) => inbox.get(row.id) ?? row);
  }, [data, inbox, view, q, me.id]);
  const hasMore = pages.hasNextPage;
  const said = data?.pages.at(-1)?.counts[view] ?? 0;
  return {
    rows,
    count: hasMore ? Math.max(said, rows.length) : rows.length,
    isLoading: pages.isPending && enabled,
    error: data === undefined ? pages.error : null,
    hasMore,
    loadMore: () => {
      if (hasMore && !pages.isFetchingNextPage) void pages.fetchNextPage();
    },
    retry: () => void pages.refetch(),
  };
}

export interface Overview {
  readonly mine: List;
  readonly waiting: List;
  readonly counts: Counts;
  /** Nothing is known yet, or nothing could be learnt: the counts mean nothing. */
  readonly isLoading: boolean;
  /** How many want me now: mine with something unread, and everyone who waits. */
  readonly calls: number;
  /** Since when the first in the queue has been waiting; null when nobody is. */
  readonly longestSince: number | null;
}

/** What is mine and who waits, whatever list is on screen. */
export function useOverview(all: List | null): Overview {
  const mine = useList('mine', '');
  const waiting = useList('waiting', '');
  const inbox = useRows();
  const told = usePages('mine', '', true).data?.pages.at(-1)?.counts.all ?? 0;
  return {
    mine,
    waiting,
    counts: {
      mine: mine.count,
      waiting: waiting.count,
      all: all === null ? Math.max(told, countAll(inbox)) : all.count,
    },
    isLoading: [mine, waiting].some((list) => list.isLoading || list.error !== null),
    calls: mine.rows.filter((row) => unread(row) > 0).length + waiting.count,
    longestSince: waiting.rows[0]?.since ?? null,
  };
}

function countAll(inbox: Inbox): number {
  let count = 0;
  for (const row of inbox.values()) if (row.last > 0) count += 1;
  return count;
}
