/**
 * The agents' list as it is now: pages from HTTP with the inbox's states folded over them. Owns the rows of all
 * views together; sorts nothing. Its one rule: a page never overwrites what a later state has said.
 */
import { applyInboxState, type Inbox, type InboxItem, seedInbox } from '@qingniao/client/inbox';
import type { StateFields } from '@qingniao/protocol/frames';

export interface Rows {
  /** The rows by id; the same value until something changes. */
  current(): Inbox;
  subscribe(changed: () => void): () => void;
  /** Take before fetching, give to `seed` with the answer. */
  mark(): number;
  seed(items: readonly InboxItem[], mark: number): void;
  /** Folded in with everything else of the same few milliseconds, so that a flood is one change. */
  apply(id: number, fields: StateFields): void;
}

/** Shorter than anyone notices, long enough that a burst costs one render. */
const BATCH_MS = 40;

/** `onStranger` is told of rows about which too little is known to show them. */
export function createRows(onStranger: (ids: readonly number[]) => void): Rows {
  let inbox: Inbox = new Map();
  let tick = 0;
  let waiting: [number, StateFields][] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const touched = new Map<number, number>();
  const listeners = new Set<() => void>();

  const become = (next: Inbox): void => {
    inbox = next;
    for (const changed of listeners) changed();
  };

  const flush = (): void => {
    timer = undefined;
    const batch = waiting;
    waiting = [];
    let next = inbox;
    for (const [id, fields] of batch) next = applyInboxState(next, id, fields);
    const strangers = new Set<number>();
    for (const [id] of batch) if (next.get(id)?.visitor.id === '') strangers.add(id);
    become(next);
    if (strangers.size > 0) onStranger([...strangers]);
  };

  return {
    current: () => inbox,
    subscribe: (changed) => {
      listeners.add(changed);
      return () => listeners.delete(changed);
    },
    mark: () => tick,
    seed: (items, mark) => {
      const fresh = items.filter((item) => {
        const isKnown = (inbox.get(item.id)?.visitor.id ?? '') !== '';
        return !isKnown || (touched.get(item.id) ?? 0) <= mark;
      });
      become(seedInbox(fresh, inbox));
    },
    apply: (id, fields) => {
      tick += 1;
      touched.set(id, tick);
      waiting.push([id, fields]);
      if (timer === undefined) timer = setTimeout(flush, BATCH_MS);
    },
  };
}
