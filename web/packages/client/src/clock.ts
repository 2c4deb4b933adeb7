/** Time as a seam. Rule: nothing in this package reads a clock or sets a timer but through here. */

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs `task` after `ms`; the answer cancels it. */
  after(ms: number, task: () => void): () => void;
  /** Uniform in [0, 1). */
  random(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, task) => {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};

/** A timer of which at most one is set: setting it again replaces the one before. */
export interface Timer {
  set(ms: number, task: () => void): void;
  clear(): void;
  readonly isSet: boolean;
}

export function createTimer(clock: Clock): Timer {
  let cancel: (() => void) | null = null;
  return {
    set(ms, task) {
      cancel?.();
      cancel = clock.after(ms, () => {
        cancel = null;
        task();
      });
    },
    clear() {
      cancel?.();
      cancel = null;
    },
    get isSet() {
      return cancel !== null;
    },
  };
}
