/**
 * Entries as they are laid out: days, quiet lines, groups of bubbles, folded steps. Pure. Its one rule: every entry
 * that may be seen appears exactly once and in order.
 */
import type { Pending } from '@qingniao/client/conversation';
import { type Entry, EntryType } from '@qingniao/protocol/frames';
import { daysBetween } from '../format/time.ts';

export type Piece =
  | { readonly kind: 'day'; readonly key: string; readonly time: number }
  | { readonly kind: 'entry'; readonly key: string; readonly entry: Entry; readonly ends: boolean }
  | { readonly kind: 'steps'; readonly key: string; readonly entries: readonly Entry[] }
  | { readonly kind: 'pending'; readonly key: string; readonly pending: Pending };

/** Bubbles of one sender within this time belong together; only the last one shows the time. */
const TOGETHER_MS = 3 * 60_000;

const SPOKEN: readonly number[] = [EntryType.TEXT, EntryType.FILE];

export function arrange(entries: readonly Entry[], pending: readonly Pending[]): Piece[] {
  const pieces: Piece[] = [];
  let before: Entry | null = null;
  let steps: Entry[] = [];
  const shown = entries.filter((entry) => entry.type !== EntryType.HIDDEN);

  shown.forEach((entry, index) => {
    if (before === null || daysBetween(before.time, entry.time) !== 0) {
      steps = [];
      pieces.push({ kind: 'day', key: `day${entry.seq}`, time: entry.time });
    }
    before = entry;
    if (entry.type === EntryType.STEP) {
      steps.push(entry);
      const piece = { kind: 'steps', key: `step${steps[0]?.seq}`, entries: [...steps] } as const;
      if (steps.length > 1) pieces.pop();
      pieces.push(piece);
      return;
    }
    steps = [];
    const next = shown[index + 1];
    pieces.push({ kind: 'entry', key: `e${entry.seq}`, entry, ends: !continues(entry, next) });
  });

  for (const one of pending) {
    if (one.type === EntryType.ACTION) continue;
    pieces.push({ kind: 'pending', key: `p${one.key}`, pending: one });
  }
  return pieces;
}

function continues(entry: Entry, next: Entry | undefined): boolean {
  return (
    next !== undefined &&
    SPOKEN.includes(entry.type) &&
    SPOKEN.includes(next.type) &&
    next.sender === entry.sender &&
    next.time - entry.time < TOGETHER_MS &&
    daysBetween(entry.time, next.time) === 0
  );
}

/** How many entries after `seq` a reader would call new: what was said, not what the system noted. */
export function countNew(entries: readonly Entry[], seq: number, me: string): number {
  let count = 0;
  for (let i = entries.length - 1; i >= 0; i -= 1) {
    const entry = entries[i];
    if (entry === undefined || entry.seq <= seq) break;
    const isSaid = SPOKEN.includes(entry.type) || entry.type === EntryType.ANSWER;
    if (isSaid && entry.sender !== me) count += 1;
  }
  return count;
}
