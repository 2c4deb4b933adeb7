import { IDBFactory } from 'fake-indexeddb';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Acquire } from '../src/lease.ts';
import { type OutboxStore, randomName, type Unacked } from '../src/outbox.ts';
import { idbOutbox } from '../src/outbox-idb.ts';

/** One browser: a database, and names that one page at a time may hold. */
let factory: IDBFactory;
let held: Set<string>;

const acquire: Acquire = async (name) => {
  if (held.has(name)) return null;
  held.add(name);
  return () => held.delete(name);
};

/** One tab's own storage; a duplicated tab starts with a copy. */
const tab = (copy = new Map<string, string>()) => {
  const kept = new Map(copy);
  const session = {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value),
  };
  const open = (): OutboxStore => idbOutbox({ name: 'x', acquire, indexedDB: factory, session });
  return { kept, open };
};

const message = (n: number, conversation = 1): Unacked => ({
  key: randomName(),
  conversation,
  n,
  type: 1,
  body: `message ${n}`,
  time: n,
});

beforeEach(() => {
  factory = new IDBFactory();
  held = new Set();
});

describe('the outbox in IndexedDB', () => {
  it('gives a reloaded tab exactly the same (device, n) back', async () => {
    const { open } = tab();
    const before = open();
    const first = await before.adopt();
    const messages = [message(1), message(2), message(3)];
    for (const one of messages) await before.put(one);
    await before.drop([messages[0]?.key ?? ''], 1, 3);
    before.release();

    const after = await open().adopt();
    expect(after.device).toBe(first.device);
    expect(after.unacked.map(({ n, body }) => [n, body])).toEqual([
      [2, 'message 2'],
      [3, 'message 3'],
    ]);
    expect(after.used).toEqual([[1, 3]]);
  });

  it('gives a duplicated tab a device of its own, and nothing to send', async () => {
    const original = tab();
    const store = original.open();
    const first = await store.adopt();
    await store.put(message(1));
    const second = await tab(original.kept).open().adopt();
    expect(second.device).not.toBe(first.device);
    expect(second.unacked).toEqual([]);
  });

  it('hands what a closed tab left unsent to the next one', async () => {
    const first = tab().open();
    const { device } = await first.adopt();
    await first.put(message(1));
    first.release();
    const second = await tab().open().adopt();
    expect(second.device).toBe(device);
    expect(second.unacked.length).toBe(1);
  });

  it('works without storage, for as long as the page lives', async () => {
    const broken = {
      open: () => {
        throw new Error('blocked');
      },
    } as unknown as IDBFactory;
    const store = idbOutbox({ name: 'x', acquire, indexedDB: broken });
    const { device, unacked } = await store.adopt();
    expect(device).toMatch(/^[\w-]{16}$/);
    expect(unacked).toEqual([]);
  });
});
