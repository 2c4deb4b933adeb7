/** When to come back. Full jitter, so that a thousand clients of one lost server do not return as one. */

import type { Clock } from './clock.ts';

const BASE_MS = 600;
const CAP_MS = 30_000;

/** Milliseconds to wait before try number `attempt` (from 0), and never before `notBeforeMs`. */
export function backoff(clock: Clock, attempt: number, notBeforeMs = 0): number {
  const ceiling = Math.min(CAP_MS, BASE_MS * 2 ** Math.min(attempt, 16));
  return notBeforeMs + Math.round(clock.random() * ceiling);
}
