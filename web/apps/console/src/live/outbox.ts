/**
 * Where this agent's unsent messages wait: in the browser, so that a reload or a crash loses none. Its one rule: one
 * database for each agent, for colleagues who share a browser must never send each other's words.
 */
import { lockAcquire, storageAcquire } from '@qingniao/client/lease';
import { memoryOutbox, type OutboxStore } from '@qingniao/client/outbox';
import { idbOutbox } from '@qingniao/client/outbox-idb';

export function outboxOf(agent: number): OutboxStore {
  try {
    // Plain HTTP has no locks, whatever the types say.
    const locks = navigator.locks as LockManager | undefined;
    return idbOutbox({
      name: `qingniao-console-${agent}`,
      acquire: locks === undefined ? storageAcquire(localStorage) : lockAcquire(locks),
      session: sessionStorage,
    });
  } catch {
    // Storage forbidden: messages then live as long as the page.
    return memoryOutbox();
  }
}
