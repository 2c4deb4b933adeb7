/**
 * The SDK: chat as a visitor or as an agent over one connection that mends itself. Owns which
 * conversations are followed and hands every frame to the part it concerns.
 *
 * Rule: what a listener gets is a whole, immutable value; asking twice gives the same one.
 */

import { type Codec, packed } from '@qingniao/protocol/codec';
import {
  type Ack,
  type Body,
  type DownFrame,
  type Entry,
  EntryType,
  type ErrorFrame,
  Kind,
  type Limits,
  type StateFields,
} from '@qingniao/protocol/frames';
import { type Clock, systemClock } from './clock.ts';
import {
  applyDelta,
  applyEntry,
  applyPage,
  applyState,
  applyTyping,
  type Conversation,
  emptyConversation,
  firstSeq,
  hasHole,
  hasOlder,
  lastSeq,
  type Pending,
  putPending,
  takePending,
  withoutHints,
} from './conversation.ts';
import { createLink, type LinkStatus } from './link.ts';
import { memoryOutbox, type OutboxStore, type Unacked } from './outbox.ts';
import { createSender } from './sender.ts';
import { type TransportFactory, webSocketTransport } from './transport.ts';

export interface ConnectOptions {
  /** `wss://host/ws` */
  readonly url: string;
  /** A visitor's token or an agent's fresh ticket, asked for before each try. */
  readonly token: () => Promise<string>;
  /** Who we are in entries: `v`, or `a` with the user's id. */
  readonly me: string;
  /** Followed from the start: a visitor's own conversation; 0 for an agent's inbox. */
  readonly follow?: readonly number[];
  /** By default nothing outlives the page. */
  readonly store?: OutboxStore | undefined;
  readonly about?: Readonly<Record<string, string>>;
  readonly codec?: Codec;
  readonly transport?: TransportFactory;
  readonly clock?: Clock;
}

export interface ClientEvents {
  status: (status: LinkStatus) => void;
  /** Something about one conversation changed. */
  conversation: (view: Conversation) => void;
  /** A new entry at the end of a followed conversation, ours included. */
  entry: (entry: Entry) => void;
  /** Every `state` frame, for the inbox's fold; conversation 0 may say `reload`. */
  state: (conversation: number, fields: StateFields) => void;
  /** A request failed that was not a message (`n` is 0), or a message was refused. */
  refused: (error: ErrorFrame) => void;
}

export interface Client {
  readonly status: LinkStatus;
  /** As told by the last `welcome`; `null` before the first. */
  readonly limits: Limits | null;
  view(conversation: number): Conversation;
  /** Answers how to stop listening. */
  on<E extends keyof ClientEvents>(event: E, listener: ClientEvents[E]): () => void;
  /** Says something, now or when the connection is back. Answers the pending message's key. */
  send(conversation: number, type: number, body: Body): string;
  /** `handoff`, `take`, `return`, `close`. */
  action(conversation: number, what: string): string;
  /** Says a refused message again, or drops it. */
  retry(conversation: number, key: string): void;
  discard(conversation: number, key: string): void;
  typing(conversation: number, isOn: boolean, preview?: string): void;
  read(conversation: number, seq: number): void;
  follow(conversation: number): void;
  unfollow(conversation: number): void;
  /** Asks for the page before what is held. */
  history(conversation: number, limit?: number): void;
  /** Call when the page becomes visible or the browser says it is online. */
  wake(): void;
  close(): void;
}

/** While typing goes on, say so this often; the other side forgets after twice that. */
const TYPING_MS = 3_000;
/** How long a `follow` may stay unanswered before a hole is asked for again. */
const FOLLOW_MS = 5_000;
/** An action's entry follows its ack; when it does not, it is asked for. */
const ACTION_MS = 500;

export function connect(options: ConnectOptions): Client {
  const clock = options.clock ?? systemClock;
  const store = options.store ?? memoryOutbox();
  const views = new Map<number, Conversation>();
  const followed = new Set<number>(options.follow ?? []);
  const asked = new Set<number>();
  const reads = new Map<number, number>();
  const typed = new Map<number, number>();
  const typingTimers = new Map<number, () => void>();
  const listeners: { [E in keyof ClientEvents]: Set<ClientEvents[E]> } = {
    status: new Set(),
    conversation: new Set(),
    entry: new Set(),
    state: new Set(),
    refused: new Set(),
  };
  let limits: Limits | null = null;
  let epoch = 0;
  let device: string | null = null;

  const viewOf = (id: number): Conversation => {
    const held = views.get(id);
    if (held) return held;
    const view = emptyConversation(id);
    views.set(id, view);
    return view;
  };
  const change = (id: number, next: Conversation): void => {
    if (views.get(id) === next) return;
    views.set(id, next);
    for (const listener of listeners.conversation) listener(next);
  };

  const sender = createSender({
    clock,
    store,
    transmit: (frame) => link.send(frame),
    show: (id, pending) => change(id, putPending(viewOf(id), pending)),
    hide: (id, key) => change(id, takePending(viewOf(id), key)),
  });

  /** Asks for what is missing, at most once at a time. */
  const ask = (id: number): void => {
    if (asked.has(id) || !link.send({ kind: Kind.FOLLOW, conversation: id, after: seqOf(id) })) {
      return;
    }
    asked.add(id);
    clock.after(FOLLOW_MS, () => {
      asked.delete(id);
      if (hasHole(viewOf(id))) ask(id);
    });
  };
  const seqOf = (id: number): number => lastSeq(viewOf(id));

  const onEntry = (entry: Entry): void => {
    const before = viewOf(entry.conversation);
    const after = applyEntry(before, entry);
    change(entry.conversation, after);
    for (const fresh of after.entries.slice(before.entries.length)) {
      for (const listener of listeners.entry) listener(fresh);
    }
    if (hasHole(after)) ask(entry.conversation);
  };

  const onState = (id: number, fields: StateFields): void => {
    if (fields.from !== undefined) asked.delete(id);
    if (id !== 0 && (followed.has(id) || views.has(id))) {
      change(id, applyState(viewOf(id), fields));
      for (const message of fields.n === undefined ? [] : sender.acked(id, fields.n))
        expect(id, message, fields.last ?? 0);
    }
    for (const listener of listeners.state) listener(id, fields);
  };

  /** Acked; shown until its entry, not later than at `seq`, is there. */
  const expect = (id: number, message: Unacked, seq: number): void => {
    const isShown = message.type !== EntryType.ACTION && seqOf(id) < seq;
    const pending: Pending = { ...message, state: 'stored', until: seq, error: null };
    change(id, isShown ? putPending(viewOf(id), pending) : takePending(viewOf(id), message.key));
  };

  const onAck = ({ conversation, n, seq, at }: Ack): void => {
    const stored = sender.acked(conversation, n);
    for (const message of stored) expect(conversation, message, seq);
    const own = stored.at(-1);
    if (own?.n === n && own.type !== EntryType.ACTION) {
      const { type, body } = own;
      const time = epoch + at;
      return onEntry({ kind: Kind.ENTRY, conversation, seq, time, sender: options.me, type, body });
    }
    clock.after(ACTION_MS, () => seqOf(conversation) < seq && ask(conversation));
  };

  const onFrame = (frame: DownFrame): void => {
    switch (frame.kind) {
      case Kind.ACK:
        return onAck(frame);
      case Kind.BUSY:
        return sender.busy(frame);
      case Kind.ENTRY:
        return onEntry(frame);
      case Kind.DELTA:
        return change(frame.conversation, applyDelta(viewOf(frame.conversation), frame));
      case Kind.STATE:
        return onState(frame.conversation, frame.fields);
      case Kind.PAGE:
        return change(frame.conversation, applyPage(viewOf(frame.conversation), frame.entries));
      case Kind.ERROR:
        if (frame.n > 0) sender.refused(frame);
        for (const listener of listeners.refused) listener(frame);
        return;
      case Kind.TYPING: {
        const id = frame.conversation;
        change(id, applyTyping(viewOf(id), frame));
        typingTimers.get(id)?.();
        typingTimers.set(
          id,
          clock.after(2 * TYPING_MS, () => change(id, { ...viewOf(id), typing: null })),
        );
      }
    }
  };

  const link = createLink({
    url: options.url,
    codec: options.codec ?? packed,
    transport: options.transport ?? webSocketTransport,
    clock,
    hello: async () => {
      if (device === null) {
        const adopted = await store.adopt();
        device = adopted.device;
        sender.load(adopted);
      }
      return {
        kind: Kind.HELLO,
        token: await options.token(),
        device,
        cursors: [...followed].map((id) => [id, seqOf(id)] as const),
        about: options.about ?? {},
      };
    },
    onWelcome: (welcome) => {
      limits = welcome.limits;
      epoch = welcome.time;
      for (const [id, fields] of welcome.conversations) onState(id, fields);
    },
    onFrame,
    onStatus: (status) => {
      asked.clear();
      if (status.phase === 'online') {
        sender.online(limits?.credit ?? 1);
        for (const [conversation, seq] of reads) link.send({ kind: Kind.READ, conversation, seq });
      } else if (status.phase !== 'connecting') {
        sender.offline();
        for (const [id, view] of views) change(id, withoutHints(view));
      }
      for (const listener of listeners.status) listener(status);
    },
  });

  const send = (id: number, type: number, body: Body): string => {
    typed.delete(id);
    return sender.add(id, type, body);
  };
  link.start();

  return {
    get status() {
      return link.status;
    },
    get limits() {
      return limits;
    },
    view: viewOf,
    on: (event, listener) => {
      listeners[event].add(listener);
      return () => listeners[event].delete(listener);
    },
    send,
    action: (id, what) => send(id, EntryType.ACTION, { do: what }),
    retry: (id, key) => {
      const failed = viewOf(id).pending.find((one) => one.key === key && one.state === 'failed');
      if (!failed) return;
      change(id, takePending(viewOf(id), key));
      send(id, failed.type, failed.body);
    },
    discard: (id, key) => {
      const failed = viewOf(id).pending.some((one) => one.key === key && one.state === 'failed');
      if (failed) change(id, takePending(viewOf(id), key));
    },
    typing: (conversation, on, preview = '') => {
      const since = clock.now() - (typed.get(conversation) ?? 0);
      if (on ? since < TYPING_MS : !typed.has(conversation)) return;
      if (on) typed.set(conversation, clock.now());
      else typed.delete(conversation);
      link.send({ kind: Kind.TYPING, conversation, on, preview, sender: '' });
    },
    read: (conversation, seq) => {
      if (seq <= (reads.get(conversation) ?? 0)) return;
      reads.set(conversation, seq);
      link.send({ kind: Kind.READ, conversation, seq });
    },
    follow: (id) => {
      followed.add(id);
      ask(id);
    },
    unfollow: (id) => {
      followed.delete(id);
      asked.delete(id);
      if (viewOf(id).pending.length === 0) views.delete(id);
      link.send({ kind: Kind.UNFOLLOW, conversation: id });
    },
    history: (id, limit = 50) => {
      const view = viewOf(id);
      if (view.isPaging || !hasOlder(view)) return;
      const frame = {
        kind: Kind.HISTORY,
        conversation: id,
        before: firstSeq(view),
        limit,
      } as const;
      if (link.send(frame)) change(id, { ...view, isPaging: true });
    },
    wake: () => link.wake(),
    close: () => {
      link.close();
      store.release();
    },
  };
}
