/**
 * How far down a list may be shown. Pure. Its one rule: below the last fetched row nothing is shown, for between the
 * rows that happen to be known there could be others.
 */
import { type Inbox, type InboxItem, rowsOf } from '@qingniao/client/inbox';
import type { Conversation, ConversationPage, View } from '../api/types.ts';

/** What a page is continued from: `time`, or for those waiting `since`. */
export function cursorOf(view: View, row: Pick<Conversation, 'time' | 'since'>): number {
  return view === 'waiting' ? row.since : row.time;
}

/** The live rows of a view that lie within what has been fetched. */
export function within(
  inbox: Inbox,
  view: View,
  me: number,
  horizon: number | null,
): readonly InboxItem[] {
  const known = rowsOf(inbox, view, me).filter((row) => row.visitor.id !== '');
  if (horizon === null) return known;
  return known.filter((row) => (view === 'waiting' ? row.since <= horizon : row.time >= horizon));
}

/** Down to where a view has been fetched; null when that is all of it. */
export function horizonOf(view: View, pages: readonly ConversationPage[]): number | null {
  const page = pages.at(-1);
  const last = page?.conversations.at(-1);
  return page?.more === true && last !== undefined ? cursorOf(view, last) : null;
}
