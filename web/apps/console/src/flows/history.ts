/** Undo and redo. Owns what was before and after; bounded: the oldest step is forgotten. Knows nothing of what it holds. */

export const MOST_STEPS = 100;
/** Changes of the same thing within this time are one step: a word, not its letters. */
export const ONE_STEP_MS = 1_200;

export interface History<T> {
  readonly past: readonly T[];
  readonly present: T;
  readonly future: readonly T[];
  /** What was changed last, and when; the same again soon after is the same step. */
  readonly what: string;
  readonly at: number;
}

export function begin<T>(present: T): History<T> {
  return { past: [], present, future: [], what: '', at: 0 };
}

/** `what` names a change that goes on, such as typing into one field; empty: a step of its own. */
export function record<T>(history: History<T>, next: T, now: number, what = ''): History<T> {
  if (next === history.present) return history;
  const goesOn = what !== '' && what === history.what && now - history.at < ONE_STEP_MS;
  const past = goesOn ? history.past : [...history.past, history.present].slice(-MOST_STEPS);
  return { past, present: next, future: [], what, at: now };
}

export function undo<T>(history: History<T>): History<T> {
  const before = history.past.at(-1);
  if (before === undefined) return history;
  return {
    past: history.past.slice(0, -1),
    present: before,
    future: [history.present, ...history.future],
    what: '',
    at: 0,
  };
}

export function redo<T>(history: History<T>): History<T> {
  const [after, ...rest] = history.future;
  if (after === undefined) return history;
  return {
    past: [...history.past, history.present],
    present: after,
    future: rest,
    what: '',
    at: 0,
  };
}
