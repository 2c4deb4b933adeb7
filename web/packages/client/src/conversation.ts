/**
 * What one conversation looks like from here: the fold of its entries. Owns order, repeats, drafts
 * and merging; refuses I/O, clocks and wording.
 *
 * Rule: `entries` is one window without holes, in `seq` order, so that a snapshot with the events
 * after it equals a fresh fetch. Every function answers a new value; the old one stays as it was.
 */

import type { Delta, Entry, StateFields, Typing } from '@qingniao/protocol/frames';
import type { Unacked } from './outbox.ts';

/** A message of ours that is not (known to be) in the log yet. */
export interface Pending extends Unacked {
  /** `stored`: acked together with a later one, its entry is on the way. */
  readonly state: 'waiting' | 'sent' | 'stored' | 'failed';
  /** `stored` only: gone from here once the window reaches this `seq`. */
  readonly until: number;
  /** `failed` only: why it will never be stored. */
  readonly error: { readonly code: number; readonly text: string } | null;
}

export interface Conversation {
  readonly id: number;
  readonly state: StateFields;
  /** Ascending, without holes. Hidden ones are among them. */
  readonly entries: readonly Entry[];
  /** Arrived before what precedes them; shown once the hole is filled. */
  readonly ahead: readonly Entry[];
  readonly drafts: ReadonlyMap<number, string>;
  readonly pending: readonly Pending[];
  readonly typing: Typing | null;
  /** A page of history is on its way. */
  readonly isPaging: boolean;
}

/** More than this ahead of a hole is forgotten: the replay brings it again. */
const MAX_AHEAD = 64;
const MAX_DRAFTS = 8;

export function emptyConversation(id: number): Conversation {
  return {
    id,
    state: {},
    entries: [],
    ahead: [],
    drafts: new Map(),
    pending: [],
    typing: null,
    isPaging: false,
  };
}

/** The last `seq` held without a hole; 0 when nothing is held. */
export const lastSeq = (view: Conversation): number => view.entries.at(-1)?.seq ?? 0;

/** The first `seq` held; 0 when nothing is held. */
export const firstSeq = (view: Conversation): number => view.entries[0]?.seq ?? 0;

/** Is something missing between what is held and what has been heard of? */
export const hasHole = (view: Conversation): boolean => view.ahead.length > 0;

/** Are there older entries than the ones held? */
export const hasOlder = (view: Conversation): boolean => firstSeq(view) > 1;

export function applyEntry(view: Conversation, entry: Entry): Conversation {
  const last = lastSeq(view);
  if (entry.seq <= last) return view;
  if (entry.seq > last + 1 && !(last === 0 && entry.seq === (view.state.from ?? 1))) {
    if (view.ahead.some((one) => one.seq === entry.seq)) return view;
    const ahead = [...view.ahead, entry].sort((a, b) => a.seq - b.seq).slice(0, MAX_AHEAD);
    return { ...view, ahead };
  }
  const entries = [...view.entries, entry];
  let next = entry.seq + 1;
  const ahead = view.ahead.filter((one) => {
    if (one.seq !== next) return one.seq > next;
    entries.push(one);
    next += 1;
    return false;
  });
  return settle({ ...view, entries, ahead }, entries.slice(view.entries.length));
}

/** What newly arrived entries make obsolete: drafts, typing, and our own that they contain. */
function settle(view: Conversation, fresh: readonly Entry[]): Conversation {
  const last = lastSeq(view);
  const drafts = new Map(view.drafts);
  for (const entry of fresh) {
    const body = entry.body;
    if (typeof body === 'object' && typeof body?.draft === 'number') drafts.delete(body.draft);
  }
  const spoke = fresh.some((entry) => entry.sender === view.typing?.sender);
  return {
    ...view,
    drafts,
    typing: spoke ? null : view.typing,
    pending: view.pending.filter((one) => one.state !== 'stored' || one.until > last),
    state: { ...view.state, last: Math.max(last, view.state.last ?? 0) },
  };
}

/** Merges fields. A `from` beyond our window starts a new window there. */
export function applyState(view: Conversation, fields: StateFields): Conversation {
  const state = { ...view.state, ...fields };
  const from = fields.from ?? 0;
  if (from <= lastSeq(view) + 1) return { ...view, state };
  return { ...view, state, entries: [], ahead: view.ahead.filter((one) => one.seq >= from) };
}

/** A page of older entries; ignored unless it joins the window. */
export function applyPage(view: Conversation, entries: readonly Entry[]): Conversation {
  const first = firstSeq(view);
  const older = entries.filter((entry) => entry.seq < first);
  const joins = older.length > 0 && older.at(-1)?.seq === first - 1;
  return { ...view, isPaging: false, entries: joins ? [...older, ...view.entries] : view.entries };
}

/** A piece of an answer being written. One that does not join what is held is left out. */
export function applyDelta(view: Conversation, delta: Delta): Conversation {
  const drafts = new Map(view.drafts);
  if (delta.offset === 0 && delta.text === '') {
    drafts.delete(delta.draft);
    return { ...view, drafts };
  }
  const held = [...(drafts.get(delta.draft) ?? '')];
  if (delta.offset > held.length) return view;
  drafts.set(delta.draft, held.slice(0, delta.offset).join('') + delta.text);
  for (const oldest of drafts.keys()) if (drafts.size > MAX_DRAFTS) drafts.delete(oldest);
  return { ...view, drafts };
}

export function applyTyping(view: Conversation, typing: Typing): Conversation {
  if (typing.on) return { ...view, typing };
  return view.typing?.sender === typing.sender ? { ...view, typing: null } : view;
}

/** A connection ended: what was only ever a hint is gone. */
export function withoutHints(view: Conversation): Conversation {
  return { ...view, drafts: new Map(), typing: null, isPaging: false };
}

/** Shows a message of ours, or its new state. */
export function putPending(view: Conversation, pending: Pending): Conversation {
  const index = view.pending.findIndex((one) => one.key === pending.key);
  const list =
    index < 0
      ? [...view.pending, pending]
      : view.pending.map((one, at) => (at === index ? pending : one));
  return { ...view, pending: list };
}

export function takePending(view: Conversation, key: string): Conversation {
  return { ...view, pending: view.pending.filter((one) => one.key !== key) };
}
