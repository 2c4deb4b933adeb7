/**
 * Frames to messages and back, in both subprotocols. Owns field order, defaults and the check of
 * every field's type; refuses meaning.
 *
 * Rule: a receiver ignores additional fields and unknown kinds (`null`); a known kind with a
 * missing or wrong field throws `MalformedError`.
 */

import { type Frame, Kind } from './frames.ts';
import { decode, encode, MalformedError, type Value } from './msgpack.ts';

type Check = 'int' | 'str' | 'bool' | 'map' | 'list' | 'pairs' | 'frames' | 'any';
type Field = readonly [name: string, check: Check, fallback?: Value];

const conversation: Field = ['conversation', 'int'];
const n: Field = ['n', 'int'];
const seq: Field = ['seq', 'int'];
const code: Field = ['code', 'int'];
const text: Field = ['text', 'str'];
const number: Field = ['number', 'int'];
const type: Field = ['type', 'int'];
const body: Field = ['body', 'any'];

/** The order on the wire. A field with a fallback may be left out. */
const SHAPES: Readonly<Record<number, readonly Field[]>> = {
  [Kind.HELLO]: [
    ['token', 'str'],
    ['device', 'str'],
    ['cursors', 'list', []],
    ['about', 'map', {}],
  ],
  [Kind.FOLLOW]: [conversation, ['after', 'int', 0]],
  [Kind.UNFOLLOW]: [conversation],
  [Kind.SEND]: [conversation, n, type, body],
  [Kind.READ]: [conversation, seq],
  [Kind.TYPING]: [conversation, ['on', 'bool'], ['preview', 'str', ''], ['sender', 'str', '']],
  [Kind.HISTORY]: [conversation, ['before', 'int'], ['limit', 'int', 50]],
  [Kind.PING]: [number],
  [Kind.PONG]: [number, ['entries', 'int', 0]],
  [Kind.WELCOME]: [
    ['session', 'str'],
    ['time', 'int'],
    ['limits', 'map'],
    ['conversations', 'pairs'],
  ],
  [Kind.ACK]: [conversation, n, seq, ['at', 'int']],
  [Kind.BUSY]: [conversation, n, ['retry_after_ms', 'int']],
  [Kind.ENTRY]: [conversation, seq, ['time', 'int'], ['sender', 'str'], type, body],
  [Kind.DELTA]: [conversation, ['draft', 'int'], ['offset', 'int'], text],
  [Kind.STATE]: [conversation, ['fields', 'map']],
  [Kind.PAGE]: [conversation, ['entries', 'frames'], ['more', 'bool']],
  [Kind.ERROR]: [conversation, n, code, text, ['temporary', 'bool'], ['expected', 'int', 0]],
  [Kind.BYE]: [code, text, ['retry_after_ms', 'int', 0]],
};

const isMap = (value: Value | undefined): boolean =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Uint8Array);

const fits: Readonly<Record<Check, (value: Value | undefined) => boolean>> = {
  // `at` of an ack may be negative when the clock was set back.
  int: (value) => Number.isSafeInteger(value),
  str: (value) => typeof value === 'string',
  bool: (value) => typeof value === 'boolean',
  map: isMap,
  list: (value) => Array.isArray(value),
  pairs: (value) =>
    Array.isArray(value) &&
    value.every((pair) => Array.isArray(pair) && fits.int(pair[0]) && isMap(pair[1])),
  frames: (value) => Array.isArray(value),
  any: () => true,
};

/** The wire's array of a frame, every field written out, as the server does it. */
export function toArray(frame: Frame): Value[] {
  const fields = frame as unknown as Readonly<Record<string, Value | undefined>>;
  const values = (SHAPES[frame.kind] ?? []).map(([name, check, fallback]) => {
    const value = fields[name] ?? fallback ?? null;
    return check === 'frames' ? (value as unknown as readonly Frame[]).map(toArray) : value;
  });
  return [frame.kind, ...values];
}

/** The frame in a wire's array; `null` for a kind that this version does not know. */
export function fromArray(array: Value): Frame | null {
  if (!Array.isArray(array) || !fits.int(array[0])) throw new MalformedError('not a frame');
  const kind = array[0] as number;
  const shape = SHAPES[kind];
  if (!shape) return null;
  const frame: Record<string, Value> = { kind };
  shape.forEach(([name, check, fallback], index) => {
    const value = index + 1 < array.length ? (array[index + 1] as Value) : fallback;
    if (value === undefined || !fits[check](value)) {
      throw new MalformedError(`kind ${kind}: ${name}`);
    }
    frame[name] = check === 'frames' ? (value as Value[]).map(entry) : value;
  });
  return frame as unknown as Frame;
}

function entry(array: Value): Value {
  const frame = fromArray(array);
  if (frame?.kind !== Kind.ENTRY) throw new MalformedError('a page holds something else');
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
