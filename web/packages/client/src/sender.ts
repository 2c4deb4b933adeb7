/**
 * Everything this device says, once and in order. Owns numbering, credit, waiting and repeating;
 * refuses to know sockets or what a message looks like.
 *
 * Rule: a message goes out only after the store has it, and leaves the store only after its ack.
 * Anything but an ack stops its conversation until all that is under way has been answered: only
 * then can numbers be given anew without meaning two things.
 */

import { Code } from '@qingniao/protocol/codes';
import { type Body, type Busy, type ErrorFrame, Kind, type Send } from '@qingniao/protocol/frames';
import { type Clock, createTimer, type Timer } from './clock.ts';
import type { Pending } from './conversation.ts';
import { type Adopted, type OutboxStore, randomName, type Unacked } from './outbox.ts';

export interface SenderOptions {
  readonly clock: Clock;
  readonly store: OutboxStore;
  /** Says whether it went out. */
  transmit(frame: Send): boolean;
  show(conversation: number, pending: Pending): void;
  hide(conversation: number, key: string): void;
}

export interface Sender {
  load(adopted: Adopted): void;
  /** Accepts a message; answers its key. */
  add(conversation: number, type: number, body: Body): string;
  /** Up to `n` is stored: those messages, oldest first, are ours no more. */
  acked(conversation: number, n: number): Unacked[];
  busy(frame: Busy): void;
  refused(frame: ErrorFrame): void;
  /** May begin, with so many under way; everything unacked goes out again. */
  online(credit: number): void;
  offline(): void;
}

interface Lane {
  readonly conversation: number;
  readonly queue: Unacked[];
  /** Keys whose latest form the store holds. */
  readonly kept: Set<string>;
  readonly inFlight: { readonly n: number; readonly key: string }[];
  readonly timer: Timer;
  used: number;
  isStalled: boolean;
  resumeAt: number;
  expected: number;
}

/** How long to wait for answers that may never come before beginning anew. */
const DRAIN_MS = 3_000;
const TEMPORARY_MS = 1_000;
/** What a conversation may have unacked; beyond it a message fails at once, to be retried by hand. */
const MAX_QUEUE = 200;

export function createSender(options: SenderOptions): Sender {
  const { clock, store } = options;
  const lanes = new Map<number, Lane>();
  let credit = 0;

  const laneOf = (conversation: number): Lane => {
    let lane = lanes.get(conversation);
    if (!lane) {
      lane = {
        conversation,
        queue: [],
        kept: new Set(),
        inFlight: [],
        timer: createTimer(clock),
        used: 0,
        isStalled: false,
        resumeAt: 0,
        expected: 0,
      };
      lanes.set(conversation, lane);
    }
    return lane;
  };

  const show = (message: Unacked, state: Pending['state'], error: Pending['error'] = null): void =>
    options.show(message.conversation, { ...message, state, until: 0, error });

  const keep = (lane: Lane, message: Unacked): void => {
    lane.kept.delete(message.key);
    const done = (): void => {
      const latest = lane.queue.find((one) => one.key === message.key);
      if (latest?.n !== message.n) return;
      lane.kept.add(message.key);
      flush(lane);
    };
    // A store that fails (full, private mode) must not keep a visitor from being heard.
    store.put(message).then(done, done);
  };

  const forget = (lane: Lane, messages: readonly Unacked[]): void => {
    for (const { key } of messages) lane.kept.delete(key);
    const keys = messages.map((message) => message.key);
    store.drop(keys, lane.conversation, lane.used).catch(() => undefined);
  };

  const underWay = (): number => {
    let sum = 0;
    for (const lane of lanes.values()) sum += lane.inFlight.length;
    return sum;
  };

  const flush = (lane: Lane): void => {
    if (lane.isStalled) return;
    let free = credit - underWay();
    for (const message of lane.queue) {
      if (lane.inFlight.some((one) => one.key === message.key)) continue;
      if (free <= 0 || !lane.kept.has(message.key)) return;
      const { conversation, n, type, body } = message;
      if (!options.transmit({ kind: Kind.SEND, conversation, n, type, body })) return;
      lane.inFlight.push({ n, key: message.key });
      free -= 1;
      show(message, 'sent');
    }
  };

  const flushAll = (): void => {
    for (const lane of lanes.values()) flush(lane);
  };

  /** From `expected` on, in order: the numbers the server wants. */
  const renumber = (lane: Lane, first: number): void => {
    lane.used = first + lane.queue.length - 1;
    lane.queue.forEach((message, index) => {
      const n = first + index;
      if (message.n === n) return;
      const next = { ...message, n };
      lane.queue[index] = next;
      keep(lane, next);
    });
  };

  const resume = (lane: Lane): void => {
    lane.isStalled = false;
    lane.inFlight.length = 0;
    const first = lane.queue[0];
    if (first && lane.expected > 0 && first.n > lane.expected) renumber(lane, lane.expected);
    lane.expected = 0;
    flush(lane);
  };

  const stall = (lane: Lane, ms: number): void => {
    lane.isStalled = true;
    lane.resumeAt = Math.max(lane.resumeAt, clock.now() + ms);
    const wait = Math.max(0, lane.resumeAt - clock.now());
    lane.timer.set(lane.inFlight.length > 0 ? wait + DRAIN_MS : wait, () => resume(lane));
    for (const message of lane.queue) show(message, 'waiting');
  };

  /** Takes the answered one out of those under way. */
  const answered = (lane: Lane, n: number): Unacked | undefined => {
    const index = lane.inFlight.findIndex((one) => one.n === n);
    if (index < 0) return undefined;
    const [record] = lane.inFlight.splice(index, 1);
    return lane.queue.find((message) => message.key === record?.key);
  };

  const refuse = (lane: Lane, message: Unacked, { code, text }: ErrorFrame): void => {
    lane.queue.splice(lane.queue.indexOf(message), 1);
    const first = lane.queue[0]?.n ?? message.n;
    renumber(lane, Math.min(first, message.n));
    forget(lane, [message]);
    show(message, 'failed', { code, text });
  };

  return {
    load: ({ unacked, used }) => {
      for (const [conversation, n] of used) laneOf(conversation).used = n;
      for (const message of unacked) {
        const lane = laneOf(message.conversation);
        lane.queue.push(message);
        lane.kept.add(message.key);
        lane.used = Math.max(lane.used, message.n);
        show(message, 'waiting');
      }
    },

    add: (conversation, type, body) => {
      const lane = laneOf(conversation);
      const key = randomName();
      const message = { key, conversation, n: lane.used + 1, type, body, time: clock.now() };
      if (lane.queue.length >= MAX_QUEUE) {
        show(message, 'failed', { code: 0, text: '' });
        return key;
      }
      lane.used += 1;
      lane.queue.push(message);
      show(message, 'waiting');
      keep(lane, message);
      return key;
    },

    acked: (conversation, n) => {
      const lane = laneOf(conversation);
      const stored = lane.queue.filter((message) => message.n <= n);
      const kept = lane.queue.filter((message) => message.n > n);
      lane.queue.splice(0, lane.queue.length, ...kept);
      const open = lane.inFlight.filter((one) => one.n > n);
      lane.inFlight.splice(0, lane.inFlight.length, ...open);
      // Our own storage was lost, or another page of this device went further.
      lane.used = Math.max(lane.used, n);
      if (kept[0] && kept[0].n > lane.used) renumber(lane, lane.used + 1);
      if (stored.length > 0) forget(lane, stored);
      if (lane.isStalled) stall(lane, 0);
      flushAll();
      return stored;
    },

    busy: ({ conversation, n, retry_after_ms }) => {
      const lane = laneOf(conversation);
      answered(lane, n);
      stall(lane, retry_after_ms);
    },

    refused: (frame) => {
      const lane = laneOf(frame.conversation);
      const message = answered(lane, frame.n);
      if (frame.code === Code.HOLE) lane.expected = frame.expected;
      else if (message && !frame.temporary) refuse(lane, message, frame);
      stall(lane, frame.temporary ? TEMPORARY_MS : 0);
    },

    online: (limit) => {
      credit = limit;
      flushAll();
    },

    offline: () => {
      credit = 0;
      for (const lane of lanes.values()) {
        lane.timer.clear();
        lane.inFlight.length = 0;
        lane.isStalled = false;
        lane.resumeAt = 0;
        for (const message of lane.queue) show(message, 'waiting');
      }
    },
  };
}
