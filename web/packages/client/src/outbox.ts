/**
 * What has been said and not yet acked, as a port. Owns the promise that a reloaded page repeats
 * exactly the same (device, n); the queue's order and numbers belong to `sender.ts`.
 *
 * Rule: a message is put before it is sent, and removed only after its ack.
 */

import type { Body } from '@qingniao/protocol/frames';

/** One message of this device. `key` never changes; `n` does, when one before it was refused. */
export interface Unacked {
  readonly key: string;
  readonly conversation: number;
  readonly n: number;
  readonly type: number;
  readonly body: Body;
  /** When it was written, milliseconds since 1970. */
  readonly time: number;
}

/** What a device left behind. */
export interface Adopted {
  readonly device: string;
  /** Ascending by `n`. */
  readonly unacked: readonly Unacked[];
  /** The highest `n` ever used, by conversation. */
  readonly used: readonly (readonly [conversation: number, n: number])[];
}

export interface OutboxStore {
  /** Takes a device that nobody else holds, with what it left unsent, or makes one. Once. */
  adopt(): Promise<Adopted>;
  /** Keeps a message (by its `key`) and the `n` it uses; resolves when it survives a reload. */
  put(message: Unacked): Promise<void>;
  /** Drops messages and notes that up to `used` is taken. */
  drop(keys: readonly string[], conversation: number, used: number): Promise<void>;
  /** Lets go of the device. */
  release(): void;
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-';

/** A random name for a device or a message: 16 letters, 96 bits. */
export function randomName(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => LETTERS[byte & 63]).join(
    '',
  );
}

/** Keeps nothing beyond the page: for consoles, tests, and browsers without storage. */
export function memoryOutbox(device: string = randomName()): OutboxStore {
  const unacked = new Map<string, Unacked>();
  const used = new Map<number, number>();
  return {
    adopt: async () => ({ device, unacked: [...unacked.values()], used: [...used] }),
    put: async (message) => {
      unacked.set(message.key, message);
      used.set(message.conversation, Math.max(message.n, used.get(message.conversation) ?? 0));
    },
    drop: async (keys, conversation, n) => {
      for (const key of keys) unacked.delete(key);
      used.set(conversation, n);
    },
    release: () => undefined,
  };
}
