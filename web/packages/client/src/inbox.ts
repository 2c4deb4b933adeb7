/**
 * The agents' list: the fold of `state` frames over what `GET /conversations` answered. Refuses
 * fetching and sorting by anything the server does not sort by.
 *
 * Rule: `applyInboxState(seedInbox(list), later states)` equals a fresh list.
 */

import type { Person, StateFields, Status } from '@qingniao/protocol/frames';

/** One row, as the HTTP interface answers it. */
export interface InboxItem {
  readonly id: number;
  readonly status: Status;
  readonly assignee: Person | null;
  readonly last: number;
  readonly session: number;
  readonly time: number;
  readonly since: number;
  readonly preview: string;
  readonly sender: string;
  readonly why: string | null;
  readonly read: { readonly v: number; readonly a: number };
  readonly visitor: { readonly id: string; readonly name: string };
  readonly online: boolean;
  /** Which team it was handed to; `null`: to anybody. */
  readonly team: Person | null;
}

export type Inbox = ReadonlyMap<number, InboxItem>;
export type InboxView = 'mine' | 'waiting' | 'all';

export function seedInbox(items: readonly InboxItem[], onto: Inbox = new Map()): Inbox {
  const inbox = new Map(onto);
  for (const item of items) inbox.set(item.id, item);
  return inbox;
}

/** Merges a `state` into its row; one that is not held yet becomes a row of what is known. */
export function applyInboxState(inbox: Inbox, id: number, fields: StateFields): Inbox {
  const { from: _from, n: _n, queue: _queue, reload: _reload, ...kept } = fields;
  const held = inbox.get(id) ?? blank(id);
  return new Map(inbox).set(id, { ...held, ...kept });
}

function blank(id: number): InboxItem {
  return {
    id,
    status: 'bot',
    assignee: null,
    last: 0,
    session: 1,
    time: 0,
    since: 0,
    preview: '',
    sender: '',
    why: null,
    read: { v: 0, a: 0 },
    visitor: { id: '', name: '' },
    online: false,
    team: null,
  };
}

/** How many entries the agents have not read. */
export const unread = (item: InboxItem): number => Math.max(0, item.last - item.read.a);

/** The rows of a view in its order: newest first, but who waits longest comes first. */
export function rowsOf(inbox: Inbox, view: InboxView, me: number): InboxItem[] {
  const rows = [...inbox.values()].filter((item) => belongs(item, view, me));
  return view === 'waiting'
    ? rows.sort((a, b) => a.since - b.since || a.id - b.id)
    : rows.sort((a, b) => b.time - a.time || b.id - a.id);
}

function belongs(item: InboxItem, view: InboxView, me: number): boolean {
  if (view === 'waiting') return item.status === 'waiting';
  if (view === 'mine') return item.status === 'open' && item.assignee?.id === me;
  return item.last > 0;
}
