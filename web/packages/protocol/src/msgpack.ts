/**
 * MessagePack, as much of it as the wire uses. Owns bytes to values and back; refuses extension
 * types and integers beyond 2^53. No `eval`, so that it runs under any page's CSP.
 *
 * Rule: hostile bytes cost at most their own length; whatever is wrong throws `MalformedError`.
 */

export type Value =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Value[]
  | { readonly [key: string]: Value };

/** These bytes are not one whole MessagePack value of the kind spoken here. */
export class MalformedError extends Error {}

/** Deeper than any frame; keeps the decoder's stack bounded. */
const MAX_DEPTH = 32;
const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** One value as MessagePack. Keys whose value is `undefined` are left out. */
export function encode(value: Value): Uint8Array<ArrayBuffer> {
  let bytes = new Uint8Array(256);
  let at = 0;

  const room = (size: number): number => {
    if (at + size > bytes.length) {
      const larger = new Uint8Array(Math.max(bytes.length * 2, at + size));
      larger.set(bytes);
      bytes = larger;
    }
    const from = at;
    at += size;
    return from;
  };
  const byte = (value: number): void => {
    // Before the store: making room may replace the array.
    const from = room(1);
    bytes[from] = value;
  };
  /** A tag and a big-endian integer in two's complement; no step leaves the exact range. */
  const tagged = (tag: number, size: number, number: number): void => {
    byte(tag);
    const from = room(size);
    let left = number;
    for (let index = size - 1; index >= 0; index--) {
      bytes[from + index] = ((left % 0x100) + 0x100) % 0x100;
      left = Math.floor(left / 0x100);
    }
  };
  /** The head of a str, bin, array or map: `tag8` 0 means that this type has no 8-bit length. */
  const head = (length: number, fix: number, fixMax: number, tag8: number, tag16: number): void => {
    if (length <= fixMax) byte(fix | length);
    else if (tag8 && length < 0x100) tagged(tag8, 1, length);
    else if (length < 0x10000) tagged(tag16, 2, length);
    else tagged(tag16 + 1, 4, length);
  };
  const number = (value: number): void => {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      byte(0xcb);
      const from = room(8);
      new DataView(bytes.buffer).setFloat64(from, value);
    } else if (value >= -0x20 && value < 0x80) byte(value & 0xff);
    else {
      // 1, 2, 4 or 8 bytes; a negative number loses one bit to its sign.
      const size = [0, 1, 2].find((power) =>
        value < 0 ? value >= -(2 ** ((8 << power) - 1)) : value < 2 ** (8 << power),
      );
      tagged((value < 0 ? 0xd0 : 0xcc) + (size ?? 3), 1 << (size ?? 3), value);
    }
  };
  const raw = (data: Uint8Array): void => {
    const from = room(data.length);
    bytes.set(data, from);
  };
  const text = (value: string): void => {
    const data = utf8.encode(value);
    head(data.length, 0xa0, 31, 0xd9, 0xda);
    raw(data);
  };
  const any = (value: Value): void => {
    if (value === null) byte(0xc0);
    else if (typeof value === 'boolean') byte(value ? 0xc3 : 0xc2);
    else if (typeof value === 'number') number(value);
    else if (typeof value === 'string') text(value);
    else if (value instanceof Uint8Array) {
      head(value.length, 0, -1, 0xc4, 0xc5);
      raw(value);
    } else if (Array.isArray(value)) {
      head(value.length, 0x90, 15, 0, 0xdc);
      for (const item of value as readonly Value[]) any(item);
    } else {
      const pairs = Object.entries(value).filter(([, item]) => item !== undefined);
      head(pairs.length, 0x80, 15, 0, 0xde);
      for (const [key, item] of pairs) {
        text(key);
        any(item);
      }
    }
  };

  any(value);
  return bytes.slice(0, at);
}

/** The one value that `bytes` hold. */
export function decode(bytes: Uint8Array): Value {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;

  const take = (size: number): number => {
    const from = at;
    at += size;
    if (at > bytes.length) throw new MalformedError('ends too early');
    return from;
  };
  const int = (size: number, isSigned = false): number => {
    const from = take(size);
    let value = isSigned && (bytes[from] ?? 0) > 0x7f ? -1 : 0;
    for (let index = from; index < at; index++) value = value * 0x100 + (bytes[index] ?? 0);
    if (!Number.isSafeInteger(value)) throw new MalformedError('an integer beyond 2^53');
    return value;
  };
  const blob = (length: number): Uint8Array => {
    const from = take(length);
    return bytes.slice(from, from + length);
  };
  const text = (length: number): string => {
    const from = take(length);
    try {
      return fromUtf8.decode(bytes.subarray(from, from + length));
    } catch {
      throw new MalformedError('not UTF-8');
    }
  };
  /** Every element takes a byte at least: a length beyond what is left is a lie. */
  const promised = (length: number): number => {
    if (length > bytes.length - at) throw new MalformedError('ends too early');
    return length;
  };
  const list = (length: number, depth: number): Value[] => {
    const items: Value[] = [];
    for (let left = promised(length); left > 0; left--) items.push(any(depth));
    return items;
  };
  const map = (length: number, depth: number): Value => {
    const pairs: [string, Value][] = [];
    for (let left = promised(length); left > 0; left--) {
      const key = any(depth);
      if (typeof key !== 'string') throw new MalformedError('a key is not text');
      pairs.push([key, any(depth)]);
    }
    // fromEntries defines own properties: a key `__proto__` stays data.
    return Object.fromEntries(pairs);
  };
  const any = (depth: number): Value => {
    if (depth > MAX_DEPTH) throw new MalformedError('too deep');
    const tag = int(1);
    if (tag < 0x80) return tag;
    if (tag < 0x90) return map(tag & 15, depth + 1);
    if (tag < 0xa0) return list(tag & 15, depth + 1);
    if (tag < 0xc0) return text(tag & 31);
    if (tag >= 0xe0) return tag - 0x100;
    if (tag === 0xc0) return null;
    if (tag === 0xc2 || tag === 0xc3) return tag === 0xc3;
    if (tag >= 0xc4 && tag <= 0xc6) return blob(int(1 << (tag - 0xc4)));
    if (tag === 0xca) return view.getFloat32(take(4));
    if (tag === 0xcb) return view.getFloat64(take(8));
    if (tag >= 0xcc && tag <= 0xcf) return int(1 << (tag - 0xcc));
    if (tag >= 0xd0 && tag <= 0xd3) return int(1 << (tag - 0xd0), true);
    if (tag >= 0xd9 && tag <= 0xdb) return text(int(1 << (tag - 0xd9)));
    if (tag === 0xdc || tag === 0xdd) return list(int(tag === 0xdc ? 2 : 4), depth + 1);
    if (tag === 0xde || tag === 0xdf) return map(int(tag === 0xde ? 2 : 4), depth + 1);
    throw new MalformedError('a type that is not spoken here');
  };

  const value = any(0);
  if (at !== bytes.length) throw new MalformedError('goes on after its end');
  return value;
}
