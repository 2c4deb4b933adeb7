/**
 * One connection at a time, again and again. Owns the handshake, signs of life and coming back;
 * refuses to know what a conversation is.
 *
 * Rule: the close code's range decides. Come back with a random delay and not before the server
 * asked for it, or stop and say so; nothing in between.
 */

import type { Codec } from '@qingniao/protocol/codec';
import { Close, comesBack } from '@qingniao/protocol/codes';
import {
  type DownFrame,
  type Frame,
  type Hello,
  Kind,
  type UpFrame,
  type Welcome,
} from '@qingniao/protocol/frames';
import { backoff } from './backoff.ts';
import { type Clock, createTimer } from './clock.ts';
import type { Transport, TransportFactory } from './transport.ts';

export type LinkStatus =
  | { readonly phase: 'connecting' }
  | { readonly phase: 'online' }
  /** Will try again at `retryAt` (milliseconds since 1970). */
  | { readonly phase: 'waiting'; readonly retryAt: number; readonly code: number }
  /** Will not try again; `text` is the server's sentence, perhaps empty. */
  | { readonly phase: 'stopped'; readonly code: number; readonly text: string }
  | { readonly phase: 'closed' };

/** Thrown by a token provider whose answer is final: there is no way in any more. */
export class RefusedError extends Error {
  readonly code: number;
  constructor(code: number = Close.BAD_TOKEN, text = '') {
    super(text);
    this.code = code;
  }
}

export interface LinkOptions {
  readonly url: string;
  readonly codec: Codec;
  readonly transport: TransportFactory;
  readonly clock: Clock;
  /** A fresh `hello` for each try. */
  hello(): Promise<Hello>;
  onWelcome(welcome: Welcome): void;
  onFrame(frame: DownFrame): void;
  onStatus(status: LinkStatus): void;
}

export interface Link {
  readonly status: LinkStatus;
  start(): void;
  /** Sends if online; says whether it did. */
  send(frame: UpFrame): boolean;
  /** The page came back or the network did: try now, or ask for a sign of life. */
  wake(): void;
  close(): void;
}

/** From the first step to `welcome`: a handshake, and the server's own 10 s for `hello`. */
const CONNECT_MS = 15_000;
const PONG_MS = 10_000;
/** A page that just woke up wants to know sooner. */
const WAKE_PONG_MS = 4_000;
/** Online for this long, the next loss counts as the first again. */
const STEADY_MS = 10_000;
const ABNORMAL = 1006;

export function createLink(options: LinkOptions): Link {
  const { clock, codec } = options;
  let status: LinkStatus = { phase: 'closed' };
  let transport: Transport | null = null;
  /** Counts tries: a callback of an earlier one is deaf. */
  let current = 0;
  let attempt = 0;
  let entries = 0;
  let pings = 0;
  let beatMs = 45_000;
  let notBefore = 0;
  let bye: { code: number; text: string } | null = null;
  /** Connect deadline, then quiet time, then pong deadline, then the wait for the next try. */
  const timer = createTimer(clock);
  const steady = createTimer(clock);

  const become = (next: LinkStatus): void => {
    status = next;
    options.onStatus(next);
  };

  const open = async (): Promise<void> => {
    const mine = ++current;
    entries = 0;
    bye = null;
    become({ phase: 'connecting' });
    timer.set(CONNECT_MS, () => lost(ABNORMAL));
    let hello: Hello;
    try {
      hello = await options.hello();
    } catch (error) {
      if (mine !== current) return;
      if (error instanceof RefusedError) bye = { code: error.code, text: error.message };
      return lost(ABNORMAL);
    }
    if (mine !== current) return;
    transport = options.transport(options.url, codec.subprotocol, {
      onOpen: () => mine === current && transport?.send(codec.encode(hello)),
      onMessage: (message) => mine === current && receive(message),
      onClose: (code) => mine === current && lost(code),
    });
  };

  /** This connection is over, for whatever reason; called once for each. */
  const lost = (closeCode: number): void => {
    current += 1;
    const code = bye?.code ?? closeCode;
    timer.clear();
    steady.clear();
    transport?.close();
    transport = null;
    if (!comesBack(code)) return become({ phase: 'stopped', code, text: bye?.text ?? '' });
    const wait = backoff(clock, attempt++, Math.max(0, notBefore - clock.now()));
    timer.set(wait, () => void open());
    become({ phase: 'waiting', retryAt: clock.now() + wait, code });
  };

  const probe = (deadlineMs: number): void => {
    transport?.send(codec.encode({ kind: Kind.PING, number: ++pings }));
    timer.set(deadlineMs, () => lost(ABNORMAL));
  };

  const receive = (message: unknown): void => {
    let frame: Frame | null;
    try {
      frame = codec.decode(message);
    } catch {
      return lost(ABNORMAL);
    }
    if (status.phase === 'online') timer.set(beatMs, () => probe(PONG_MS));
    if (frame) handle(frame as DownFrame);
  };

  const handle = (frame: DownFrame): void => {
    switch (frame.kind) {
      case Kind.WELCOME:
        // Sooner than the server, whose own ping would come after `beat_ms`: ours counts entries.
        beatMs = frame.limits.beat_ms * 0.8;
        steady.set(STEADY_MS, () => {
          attempt = 0;
        });
        timer.set(beatMs, () => probe(PONG_MS));
        options.onWelcome(frame);
        return become({ phase: 'online' });
      case Kind.PING:
        transport?.send(codec.encode({ kind: Kind.PONG, number: frame.number, entries: 0 }));
        return;
      case Kind.PONG:
        if (frame.entries > entries) lost(ABNORMAL);
        return;
      case Kind.BYE:
        bye = frame;
        notBefore = clock.now() + frame.retry_after_ms;
        return;
      case Kind.ENTRY:
        entries += 1;
    }
    options.onFrame(frame);
  };

  return {
    get status() {
      return status;
    },
    start: () => void open(),
    send: (frame) => {
      if (status.phase !== 'online' || !transport) return false;
      transport.send(codec.encode(frame));
      return true;
    },
    wake: () => {
      if (status.phase === 'online') probe(WAKE_PONG_MS);
      else if (status.phase === 'waiting' && clock.now() >= notBefore) void open();
    },
    close: () => {
      current += 1;
      timer.clear();
      steady.clear();
      transport?.close();
      transport = null;
      become({ phase: 'closed' });
    },
  };
}
