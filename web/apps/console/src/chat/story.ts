/**
 * What a conversation's changes of hands tell about its other entries: who its agents are, how long was waited, why it
 * came to people. Pure; one pass over the entries.
 */
import { type Entry, EntryType } from '@qingniao/protocol/frames';
import { statusOf } from './bodies.ts';

export interface Story {
  /** Names by sender, `a3`. */
  readonly names: ReadonlyMap<string, string>;
  /** For each status entry that ended a wait: how long it was, milliseconds. */
  readonly waits: ReadonlyMap<number, number>;
  /** Why it last came to people; empty when it never did. */
  readonly handedOver: string;
  /** Why it went to the person who has it; empty when nobody does. */
  readonly given: string;
}

export function storyOf(entries: readonly Entry[]): Story {
  const names = new Map<string, string>();
  const waits = new Map<number, number>();
  let handedOver = '';
  let given = '';
  let since: number | null = null;
  for (const entry of entries) {
    const status = entry.type === EntryType.STATUS ? statusOf(entry.body) : null;
    if (status === null) continue;
    if (status.agent !== '') names.set(`a${status.agentId}`, status.agent);
    if (since !== null) waits.set(entry.seq, entry.time - since);
    since = status.to === 'waiting' ? entry.time : null;
    if (status.to === 'waiting') handedOver = status.why;
    given = status.to === 'open' ? status.why : '';
  }
  return { names, waits, handedOver, given };
}
