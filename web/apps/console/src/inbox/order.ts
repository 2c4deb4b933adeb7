/**
 * The order of a list that somebody is pointing at. Pure. Its one rule: while the list is held, no row moves; rows
 * change where they are, new ones wait above, and those that a further page brought join at the end.
 */

export interface Order {
  readonly ids: readonly number[];
  /** How many new rows wait for the list to be let go. */
  readonly waiting: number;
}

/** The order to show: `fresh` is the right one, `held` the one on screen. */
export function order(held: readonly number[], fresh: readonly number[], isHeld: boolean): Order {
  if (!isHeld || held.length === 0) return { ids: fresh, waiting: 0 };
  const shown = new Set(held);
  let end = fresh.length;
  while (end > 0 && !shown.has(fresh[end - 1] ?? -1)) end -= 1;
  const later = fresh.slice(end);
  const isNew = fresh.slice(0, end).filter((id) => !shown.has(id));
  return { ids: later.length === 0 ? held : [...held, ...later], waiting: isNew.length };
}

/** The row `step` further than `current`; from nowhere, the first or the last. */
export function neighbour(
  ids: readonly number[],
  current: number | null,
  step: 1 | -1,
): number | null {
  if (ids.length === 0) return null;
  const at = current === null ? -1 : ids.indexOf(current);
  if (at < 0) return (step === 1 ? ids[0] : ids.at(-1)) ?? null;
  return ids[Math.min(ids.length - 1, Math.max(0, at + step))] ?? null;
}

/** Which rows of equal height are on screen, with a few more on either side. */
export function visible(
  count: number,
  rowHeight: number,
  scrollTop: number,
  height: number,
): { start: number; end: number } {
  const MARGIN = 6;
  const first = Math.floor(scrollTop / rowHeight) - MARGIN;
  const last = Math.ceil((scrollTop + height) / rowHeight) + MARGIN;
  return { start: Math.max(0, Math.min(first, count)), end: Math.max(0, Math.min(last, count)) };
}
