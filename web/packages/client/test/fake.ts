/**
 * A server and a clock in the test's hands. The server keeps a log as the real one would: numbers
 * by device, `seq` by conversation; a test may make it busy, lose frames or hang up.
 */

import { packed } from '@qingniao/protocol/codec';
import {
  type Body,
  type DownFrame,
  type Entry,
  EntryType,
  Kind,
  type Send,
  type StateFields,
  type UpFrame,
} from '@qingniao/protocol/frames';
import type { Clock } from '../src/clock.ts';
import type { TransportFactory, TransportHandlers } from '../src/transport.ts';

export interface FakeClock extends Clock {
  /** Lets time pass, timers and promises included. */
  pass(ms: number): Promise<void>;
}

export function fakeClock(): FakeClock {
  let now = 1_795_500_000_000;
  let timers: { at: number; task: () => void }[] = [];
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  };
  return {
    now: () => now,
    random: () => 0.5,
    after: (ms, task) => {
      const timer = { at: now + ms, task };
      timers.push(timer);
      return () => {
        timers = timers.filter((one) => one !== timer);
      };
    },
    pass: async (ms) => {
      const end = now + ms;
      await settle();
      for (;;) {
        const next = timers.filter((one) => one.at <= end).sort((a, b) => a.at - b.at)[0];
        if (!next) break;
        timers = timers.filter((one) => one !== next);
        now = Math.max(now, next.at);
        next.task();
        await settle();
      }
      now = end;
      await settle();
    },
  };
}

export const LIMITS = {
  frame_bytes: 65_536,
  body_chars: 4_000,
  credit: 4,
  rate: 10,
  follows: 512,
  beat_ms: 45_000,
  hello_ms: 10_000,
  replay: 100,
  file_bytes: 20_971_520,
};

export class FakeServer {
  readonly log: Entry[] = [];
  readonly received: UpFrame[] = [];
  /** Highest `n` by device. */
  readonly stored = new Map<string, number>();
  connections = 0;
  state: StateFields = { status: 'bot' };
  /** Handles a `send` instead of storing it; false leaves it to the server. */
  intercept: (frame: Send) => boolean = () => false;
  isMute = false;
  /** Entries sent on this connection. */
  private sent = 0;
  replay = 100;
  private handlers: TransportHandlers | null = null;
  private device = '';
  readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  readonly transport: TransportFactory = (_url, subprotocol, handlers) => {
    if (subprotocol !== 'qingniao.1') throw new Error('wrong subprotocol');
    this.connections += 1;
    this.sent = 0;
    this.handlers = handlers;
    queueMicrotask(() => handlers.onOpen());
    return {
      send: (message) => {
        if (this.handlers !== handlers) return;
        const frame = packed.decode(message) as UpFrame;
        this.received.push(frame);
        if (!this.isMute) queueMicrotask(() => this.answer(frame));
      },
      close: () => {
        if (this.handlers === handlers) this.handlers = null;
      },
    };
  };

  /** Every `send` of a conversation, as (n, body). */
  get sends(): [number, Body][] {
    return this.received.flatMap((frame) =>
      frame.kind === Kind.SEND ? [[frame.n, frame.body] as [number, Body]] : [],
    );
  }

  count(kind: number): number {
    return this.received.filter((frame) => frame.kind === kind).length;
  }

  push(frame: DownFrame): void {
    if (frame.kind === Kind.ENTRY && this.handlers) this.sent += 1;
    this.handlers?.onMessage(packed.encode(frame));
  }

  /** Appends an entry; `isLost` keeps it from the client. */
  say(sender: string, body: Body, type: number = EntryType.TEXT, isLost = false): Entry {
    const seq = this.log.length + 1;
    const time = this.clock.now();
    const entry: Entry = { kind: Kind.ENTRY, conversation: 1, seq, time, sender, type, body };
    this.log.push(entry);
    if (!isLost) this.push(entry);
    return entry;
  }

  hangUp(code: number): void {
    const { handlers } = this;
    this.handlers = null;
    handlers?.onClose(code);
  }

  store(frame: Send): void {
    const held = this.stored.get(this.device) ?? 0;
    if (frame.n > held + 1) return this.refuse(frame, 113, false, held + 1);
    if (frame.n <= held) return this.ack(frame.n, this.log.length);
    this.stored.set(this.device, frame.n);
    if (frame.type !== EntryType.ACTION) this.say('v', frame.body, frame.type, true);
    else this.say('s', { from: 'bot', to: 'waiting' }, EntryType.STATUS);
    this.ack(frame.n, this.log.length);
  }

  ack(n: number, seq: number): void {
    this.push({ kind: Kind.ACK, conversation: 1, n, seq, at: 5 });
  }

  refuse(frame: Send, code: number, temporary: boolean, expected = 0): void {
    const { n } = frame;
    this.push({ kind: Kind.ERROR, conversation: 1, n, code, text: 'no', temporary, expected });
  }

  fields(after: number): StateFields {
    const last = this.log.length;
    const from = Math.max(after + 1, last - this.replay + 1);
    return { ...this.state, last, from, n: this.stored.get(this.device) ?? 0 };
  }

  private answer(frame: UpFrame): void {
    switch (frame.kind) {
      case Kind.HELLO: {
        this.device = frame.device;
        const time = this.clock.now();
        const cursors = frame.cursors.map(([id, seq]) => [id, this.fields(seq)] as const);
        this.push({
          kind: Kind.WELCOME,
          session: 's',
          time,
          limits: LIMITS,
          conversations: cursors,
        });
        for (const [, { from }] of cursors) this.replayFrom(from ?? 1);
        return;
      }
      case Kind.FOLLOW: {
        const fields = this.fields(frame.after);
        this.push({ kind: Kind.STATE, conversation: frame.conversation, fields });
        return this.replayFrom(fields.from ?? 1);
      }
      case Kind.SEND:
        if (!this.intercept(frame)) this.store(frame);
        return;
      case Kind.PING:
        return this.push({ kind: Kind.PONG, number: frame.number, entries: this.sent });
      case Kind.HISTORY: {
        const older = this.log.filter((entry) => entry.seq < frame.before).slice(-frame.limit);
        const more = (older[0]?.seq ?? 1) > 1;
        return this.push({ kind: Kind.PAGE, conversation: 1, entries: older, more });
      }
    }
  }

  private replayFrom(seq: number): void {
    for (const entry of this.log.slice(seq - 1)) this.push(entry);
  }
}
