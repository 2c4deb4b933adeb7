/** The time as React state, for "6 minutes" and stopwatches. One timer per beat, shared by everyone who listens. */
import { useSyncExternalStore } from 'react';

interface Beat {
  now: number;
  timer: ReturnType<typeof setInterval> | undefined;
  readonly listeners: Set<() => void>;
}

const beats = new Map<number, Beat>();

function beatOf(every: number): Beat {
  const known = beats.get(every);
  if (known !== undefined) return known;
  const beat: Beat = { now: Date.now(), timer: undefined, listeners: new Set() };
  beats.set(every, beat);
  return beat;
}

/** Now, renewed every `every` milliseconds. */
export function useNow(every = 20_000): number {
  const beat = beatOf(every);
  const subscribe = (changed: () => void) => {
    beat.listeners.add(changed);
    beat.timer ??= setInterval(() => {
      beat.now = Date.now();
      for (const listener of beat.listeners) listener();
    }, every);
    return () => {
      beat.listeners.delete(changed);
      if (beat.listeners.size > 0) return;
      clearInterval(beat.timer);
      beat.timer = undefined;
    };
  };
  return useSyncExternalStore(subscribe, () => beat.now);
}
