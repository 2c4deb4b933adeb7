/**
 * "This is mine as long as this page lives", between the tabs of one browser. Owns nothing but
 * names; refuses to say who holds one.
 *
 * Rule: a name is held by one page at a time, and free again soon after that page is gone.
 */

/** Answers how to let go, or `null` when another page still holds it after `waitMs`. */
export type Acquire = (name: string, waitMs: number) => Promise<(() => void) | null>;

/** The browser's own locks; they exist in secure contexts only. */
export function lockAcquire(locks: LockManager): Acquire {
  return (name, waitMs) =>
    new Promise((resolve) => {
      const waiting = new AbortController();
      const timer = setTimeout(() => waiting.abort(), waitMs);
      const hold = (lock: Lock | null): Promise<void> | undefined => {
        clearTimeout(timer);
        if (lock) return new Promise<void>((release) => resolve(release));
        resolve(null);
        return undefined;
      };
      const options = waitMs > 0 ? { signal: waiting.signal } : { ifAvailable: true };
      locks.request(name, options, hold).catch(() => resolve(null));
    });
}

const LEASE_MS = 6_000;
const RENEW_MS = 2_000;

/** For pages on plain HTTP: a time stamp that its holder keeps fresh. */
export function storageAcquire(storage: Storage): Acquire {
  return async (name, waitMs) => {
    const until = Date.now() + waitMs;
    while (Number(storage.getItem(name)) > Date.now() - LEASE_MS) {
      if (Date.now() >= until) return null;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const renew = (): void => storage.setItem(name, String(Date.now()));
    renew();
    const timer = setInterval(renew, RENEW_MS);
    const release = (): void => {
      clearInterval(timer);
      storage.removeItem(name);
    };
    // A reload lets go at once instead of after the lease.
    addEventListener('pagehide', release, { once: true });
    return release;
  };
}
