/**
 * Frames to messages and back, in both subprotocols. Owns field order, defaults and the check of
 * every field's type; refuses meaning.
 *
 * Rule: a receiver ignores additional fields and unknown kinds (`null`); a known kind with a
 * missing or wrong field throws `MalformedError`.
 */

import { type Frame, Kind } from './frames.ts';
import { decode, encode, MalformedError, type Value } from './msgpack.ts';

/** The order on the wire; what follows `?` may be left out. */
const SHAPES: Readonly<Record<number, string>> = {
  [Kind.HELLO]: 'token device ? cursors about',
  [Kind.FOLLOW]: 'conversation ? after',
  [Kind.UNFOLLOW]: 'conversation',
  [Kind.SEND]: 'conversation n type body',
  [Kind.READ]: 'conversation seq',
  [Kind.TYPING]: 'conversation on ? preview sender',
  [Kind.HISTORY]: 'conversation before ? limit',
  [Kind.PING]: 'number',
  [Kind.PONG]: 'number ? entries',
  [Kind.WELCOME]: 'session time limits conversations',
  [Kind.ACK]: 'conversation n seq at',
  [Kind.BUSY]: 'conversation n retry_after_ms',
  [Kind.ENTRY]: 'conversation seq time sender type body',
  [Kind.DELTA]: 'conversation draft offset text',
  [Kind.STATE]: 'conversation fields',
  [Kind.PAGE]: 'conversation entries more',
  [Kind.ERROR]: 'conversation n code text temporary ? expected',
  [Kind.BYE]: 'code text ? retry_after_ms',
};

/** Fields that are no integers: an example of what they hold, which is also their default. */
const EXAMPLES: Readonly<Record<string, Value>> = {
  token: '',
  device: '',
  preview: '',
  sender: '',
  session: '',
  text: '',
  on: false,
  more: false,
  temporary: false,
  cursors: [],
  conversations: [],
  about: {},
  limits: {},
  fields: {},
};
const HISTORY_LIMIT = 50;

/** Names in order, and how many of them must be there; `null` for an unknown kind. */
function shapeOf(kind: number): { names: string[]; needed: number } | null {
  const words = SHAPES[kind]?.split(' ');
  if (!words) return null;
  const mark = words.indexOf('?');
  return {
    names: words.filter((word) => word !== '?'),
    needed: mark < 0 ? words.length : mark,
  };
}

function exampleOf(kind: number, name: string): Value {
  // The one name that means two things: a page holds entries, a pong counts them.
  if (name === 'entries' && kind === Kind.PAGE) return [];
  return name === 'limit' ? HISTORY_LIMIT : (EXAMPLES[name] ?? 0);
}

/** Values of one sort may stand for each other. */
function sortOf(value: Value | undefined): string {
  if (Array.isArray(value)) return 'list';
  if (value === null || value instanceof Uint8Array) return 'other';
  return typeof value === 'number' && !Number.isSafeInteger(value) ? 'other' : typeof value;
}

/** The wire's array of a frame, every field written out, as the server does it. */
export function toArray(frame: Frame): Value[] {
  const fields = frame as unknown as Readonly<Record<string, Value | undefined>>;
  const values = (shapeOf(frame.kind)?.names ?? []).map((name) => {
    const value = fields[name] ?? null;
    return frame.kind === Kind.PAGE && Array.isArray(value)
      ? (value as unknown as Frame[]).map(toArray)
      : value;
  });
  return [frame.kind, ...values];
}

/** The frame in a wire's array; `null` for a kind that this version does not know. */
export function fromArray(array: Value): Frame | null {
  if (!Array.isArray(array) || sortOf(array[0]) !== 'number') throw new MalformedError('no kind');
  const kind = array[0] as number;
  const shape = shapeOf(kind);
  if (!shape) return null;
  if (array.length <= shape.needed) throw new MalformedError(`kind ${kind}: too short`);
  const frame: Record<string, Value> = { kind };
  shape.names.forEach((name, index) => {
    const example = exampleOf(kind, name);
    const value = index + 1 < array.length ? (array[index + 1] as Value) : example;
    if (name !== 'body' && sortOf(value) !== sortOf(example)) {
      throw new MalformedError(`kind ${kind}: ${name}`);
    }
    frame[name] = value;
  });
  if (kind === Kind.PAGE) frame.entries = (frame.entries as Value[]).map(entry);
  if (kind === Kind.WELCOME && !(frame.conversations as Value[]).every(isStateOf)) {
    throw new MalformedError('no state');
  }
  return frame as unknown as Frame;
}

function isStateOf(pair: Value): boolean {
  return Array.isArray(pair) && sortOf(pair[0]) === 'number' && sortOf(pair[1]) === 'object';
}

function entry(array: Value): Value {
  const frame = fromArray(array);
  if (frame?.kind !== Kind.ENTRY) throw new MalformedError('no entry');
  return frame as unknown as Value;
}

/** One subprotocol: its name in the handshake, and how its messages look. */
export interface Codec {
  readonly subprotocol: string;
  encode(frame: Frame): string | Uint8Array<ArrayBuffer>;
  /** `null` for a kind that is not known; throws `MalformedError` for anything that is no frame. */
  decode(message: unknown): Frame | null;
}

export const packed: Codec = {
  subprotocol: 'qingniao.1',
  encode: (frame) => encode(toArray(frame)),
  decode: (message) => {
    if (message instanceof ArrayBuffer) return fromArray(decode(new Uint8Array(message)));
    if (message instanceof Uint8Array) return fromArray(decode(message));
    throw new MalformedError('not a binary message');
  },
};

export const json: Codec = {
  subprotocol: 'qingniao.1.json',
  encode: (frame) => JSON.stringify(toArray(frame)),
  decode: (message) => {
    if (typeof message !== 'string') throw new MalformedError('not a text message');
    let value: Value;
    try {
      value = JSON.parse(message) as Value;
    } catch {
      throw new MalformedError('not JSON');
    }
    return fromArray(value);
  },
};
