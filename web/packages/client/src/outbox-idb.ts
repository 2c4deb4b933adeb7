/**
 * The outbox in IndexedDB. Owns which device this tab is: a reloaded tab takes its own again and
 * repeats exactly the same (device, n); a duplicated one finds it held and gets another.
 *
 * Rule: no device without its lease. What another tab left unsent goes to whoever comes next.
 */

import type { Acquire } from './lease.ts';
import { type Adopted, type OutboxStore, randomName, type Unacked } from './outbox.ts';

export interface IdbOptions {
  /** One database for each server. */
  readonly name: string;
  readonly acquire: Acquire;
  readonly indexedDB?: IDBFactory;
  /** Survives a reload, and is copied when a tab is duplicated. */
  readonly session?: Pick<Storage, 'getItem' | 'setItem'>;
}

interface DeviceRow {
  readonly device: string;
  readonly used: Readonly<Record<string, number>>;
}
interface MessageRow extends Unacked {
  readonly device: string;
}

const DEVICES = 'devices';
const MESSAGES = 'messages';
/** A reload asks for its lease while the old page still holds it. */
const RELOAD_MS = 1_500;

const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const durable = (transaction: IDBTransaction): Promise<void> =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });

export function idbOutbox(options: IdbOptions): OutboxStore {
  const factory = options.indexedDB ?? indexedDB;
  let device = '';
  let release: (() => void) | null = null;
  let opened: IDBDatabase | null = null;
  /** Highest `n` by conversation, as the database has it. */
  let used: Record<string, number> = {};

  const database = (): Promise<IDBDatabase> => {
    const request = factory.open(options.name, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(DEVICES, { keyPath: 'device' });
      request.result.createObjectStore(MESSAGES, { keyPath: 'key' });
    };
    return done(request);
  };

  const take = async (name: string, waitMs: number): Promise<boolean> => {
    release = await options.acquire(`${options.name}/${name}`, waitMs);
    if (release) device = name;
    return release !== null;
  };

  /** Our own from before a reload, else one with something unsent, else any idle one, else new. */
  const choose = async (devices: readonly DeviceRow[], busy: ReadonlySet<string>) => {
    const own = options.session?.getItem(options.name);
    if (own && (await take(own, RELOAD_MS))) return;
    const names = devices.map((row) => row.device);
    const order = [...names.filter((name) => busy.has(name)), ...names];
    for (const name of order) if (await take(name, 0)) return;
    await take(randomName(), 0);
  };

  /**
   * Notes the highest `n` and changes messages, in one transaction without a single read: a page
   * that is left a moment after Enter has kept what was said.
   */
  const write = async (
    conversation: number,
    n: number,
    change: (messages: IDBObjectStore) => void,
  ): Promise<void> => {
    used[conversation] = n;
    const db = opened ?? (await database());
    const transaction = db.transaction([DEVICES, MESSAGES], 'readwrite');
    const finished = durable(transaction);
    change(transaction.objectStore(MESSAGES));
    transaction.objectStore(DEVICES).put({ device, used } satisfies DeviceRow);
    transaction.commit();
    await finished;
  };

  return {
    adopt: async (): Promise<Adopted> => {
      try {
        const db = await database();
        opened = db;
        const read = (store: string) => done(db.transaction(store).objectStore(store).getAll());
        const devices = (await read(DEVICES)) as DeviceRow[];
        const left = (await read(MESSAGES)) as MessageRow[];
        await choose(devices, new Set(left.map((row) => row.device)));
        options.session?.setItem(options.name, device);
        // Read again: between the first look and the lease its last holder may have written.
        const rows = ((await read(MESSAGES)) as MessageRow[])
          .filter((row) => row.device === device)
          .sort((a, b) => a.n - b.n);
        const latest = ((await read(DEVICES)) as DeviceRow[]).find((row) => row.device === device);
        used = { ...latest?.used };
        const numbers = Object.entries(used).map(([id, n]) => [Number(id), n] as const);
        return { device, unacked: rows, used: numbers };
      } catch {
        // No storage here (private mode, blocked): this page's memory is all there is.
        device ||= randomName();
        return { device, unacked: [], used: [] };
      }
    },
    put: (message) =>
      write(message.conversation, message.n, (messages) => messages.put({ ...message, device })),
    drop: (keys, conversation, n) =>
      write(conversation, n, (messages) => {
        for (const key of keys) messages.delete(key);
      }),
    release: () => {
      release?.();
      release = null;
    },
  };
}
