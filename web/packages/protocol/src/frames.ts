/**
 * The frames of wire version 1 as types. Owns names, numbers and shapes; refuses any meaning.
 *
 * Rule: on the wire a frame is an array `[kind, field, …]`; fields are only ever appended, with a
 * default, and nothing is renumbered (`docs/reference/protocol.md`, section 3).
 */

export const Kind = {
  HELLO: 1,
  FOLLOW: 2,
  UNFOLLOW: 3,
  SEND: 4,
  READ: 5,
  TYPING: 6,
  HISTORY: 7,
  PING: 9,
  PONG: 10,
  WELCOME: 32,
  ACK: 33,
  BUSY: 34,
  ENTRY: 35,
  DELTA: 36,
  STATE: 37,
  PAGE: 38,
  ERROR: 39,
  BYE: 40,
} as const;

/** What an entry of a conversation's log is. */
export const EntryType = {
  HIDDEN: 0,
  TEXT: 1,
  FILE: 2,
  ANSWER: 3,
  STATUS: 4,
  SUMMARY: 5,
  NOTE: 6,
  RATING: 7,
  STEP: 8,
  ACTION: 9,
} as const;

export type Json = null | boolean | number | string | readonly Json[] | JsonMap;
export interface JsonMap {
  readonly [key: string]: Json;
}

/** A string for `text` and `note`, a map for the rest, `null` when hidden. */
export type Body = string | null | JsonMap;

export type Status = 'bot' | 'waiting' | 'open' | 'closed';
export interface Person {
  readonly id: number;
  readonly name: string;
}

/** Fields of a conversation; a present one replaces the one held before, `null` clears it. */
export interface StateFields {
  readonly status?: Status;
  readonly assignee?: Person | null;
  readonly last?: number;
  readonly from?: number;
  readonly n?: number;
  readonly session?: number;
  /** `eta_s` 0: unknown. `staffed` false: nobody is there to serve. */
  readonly queue?: {
    readonly ahead: number;
    readonly eta_s: number;
    readonly staffed?: boolean;
  } | null;
  readonly read?: { readonly v: number; readonly a: number };
  readonly online?: boolean;
  readonly why?: string | null;
  readonly since?: number;
  readonly time?: number;
  readonly preview?: string;
  readonly sender?: string;
  readonly visitor?: { readonly id: string; readonly name: string };
  /** Which team it was handed to. */
  readonly team?: Person | null;
  /** Conversation 0 only: too much changed, fetch the list again. */
  readonly reload?: boolean;
}

/** What a connection may do; sent as a map, every one enforced by the server. */
export interface Limits {
  readonly frame_bytes: number;
  readonly body_chars: number;
  readonly credit: number;
  readonly rate: number;
  readonly follows: number;
  readonly beat_ms: number;
  readonly hello_ms: number;
  readonly replay: number;
  readonly file_bytes: number;
}

export interface Hello {
  readonly kind: typeof Kind.HELLO;
  readonly token: string;
  readonly device: string;
  readonly cursors: readonly (readonly [conversation: number, seq: number])[];
  readonly about: Readonly<Record<string, string>>;
}
export interface Follow {
  readonly kind: typeof Kind.FOLLOW;
  readonly conversation: number;
  readonly after: number;
}
export interface Unfollow {
  readonly kind: typeof Kind.UNFOLLOW;
  readonly conversation: number;
}
export interface Send {
  readonly kind: typeof Kind.SEND;
  readonly conversation: number;
  readonly n: number;
  readonly type: number;
  readonly body: Body;
}
export interface Read {
  readonly kind: typeof Kind.READ;
  readonly conversation: number;
  readonly seq: number;
}
export interface Typing {
  readonly kind: typeof Kind.TYPING;
  readonly conversation: number;
  readonly on: boolean;
  readonly preview: string;
  readonly sender: string;
}
export interface History {
  readonly kind: typeof Kind.HISTORY;
  readonly conversation: number;
  readonly before: number;
  readonly limit: number;
}
export interface Ping {
  readonly kind: typeof Kind.PING;
  readonly number: number;
}
export interface Pong {
  readonly kind: typeof Kind.PONG;
  readonly number: number;
  readonly entries: number;
}
export interface Welcome {
  readonly kind: typeof Kind.WELCOME;
  readonly session: string;
  readonly time: number;
  readonly limits: Limits;
  readonly conversations: readonly (readonly [conversation: number, fields: StateFields])[];
}
export interface Ack {
  readonly kind: typeof Kind.ACK;
  readonly conversation: number;
  readonly n: number;
  readonly seq: number;
  /** Milliseconds after `Welcome.time`. */
  readonly at: number;
}
export interface Busy {
  readonly kind: typeof Kind.BUSY;
  readonly conversation: number;
  readonly n: number;
  readonly retry_after_ms: number;
}
export interface Entry {
  readonly kind: typeof Kind.ENTRY;
  readonly conversation: number;
  readonly seq: number;
  readonly time: number;
  readonly sender: string;
  readonly type: number;
  readonly body: Body;
}
export interface Delta {
  readonly kind: typeof Kind.DELTA;
  readonly conversation: number;
  readonly draft: number;
  /** In characters (code points), not UTF-16 units. */
  readonly offset: number;
  readonly text: string;
}
export interface State {
  readonly kind: typeof Kind.STATE;
  readonly conversation: number;
  readonly fields: StateFields;
}
export interface Page {
  readonly kind: typeof Kind.PAGE;
  readonly conversation: number;
  readonly entries: readonly Entry[];
  readonly more: boolean;
}
export interface ErrorFrame {
  readonly kind: typeof Kind.ERROR;
  readonly conversation: number;
  readonly n: number;
  readonly code: number;
  readonly text: string;
  readonly temporary: boolean;
  readonly expected: number;
}
export interface Bye {
  readonly kind: typeof Kind.BYE;
  readonly code: number;
  readonly text: string;
  readonly retry_after_ms: number;
}

export type UpFrame = Hello | Follow | Unfollow | Send | Read | Typing | History | Ping | Pong;
export type DownFrame =
  | Welcome
  | Ack
  | Busy
  | Entry
  | Delta
  | State
  | Page
  | ErrorFrame
  | Bye
  | Typing
  | Ping
  | Pong;
export type Frame = UpFrame | DownFrame;
