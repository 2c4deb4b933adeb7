import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromArray, json, packed } from '../src/codec.ts';
import { decode, encode, MalformedError, type Value } from '../src/msgpack.ts';

const value = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.integer(),
    fc.double(),
    fc.string({ unit: 'binary' }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 20 }),
  ),
})).value;

describe('MessagePack', () => {
  it('brings every value back', () => {
    fc.assert(
      fc.property(value, (given) => {
        expect(decode(encode(given))).toEqual(given);
      }),
    );
  });

  it.each([65_535, 65_536, 200_000])('brings %i bytes and as many items back', (length) => {
    const text = 'x'.repeat(length);
    expect(decode(encode(text)) === text).toBe(true);
    const list = decode(encode(Array.from({ length }, () => 1))) as Value[];
    expect(list.length).toBe(length);
  });

  it('answers hostile bytes with a value or its one error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedError);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('refuses every beginning and every addition', () => {
    fc.assert(
      fc.property(value, fc.nat(), (given, cut) => {
        const bytes = encode(given);
        expect(() => decode(bytes.subarray(0, cut % bytes.length))).toThrow(MalformedError);
        expect(() => decode(new Uint8Array([...bytes, 0xc0]))).toThrow(MalformedError);
      }),
    );
  });

  it.each([
    ['an array that promises four billion', [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ['a map that promises four billion', [0xdf, 0xff, 0xff, 0xff, 0xff]],
    ['text that promises four billion', [0xdb, 0xff, 0xff, 0xff, 0xff]],
    ['an integer of 2^53', [0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0]],
    ['broken UTF-8', [0xa1, 0xff]],
    ['a key that is a number', [0x81, 0x01, 0x01]],
    ['an extension', [0xd4, 1, 0]],
    ['a thousand arrays in one another', Array.from({ length: 1000 }, () => 0x91)],
  ])('refuses %s', (_name, bytes) => {
    expect(() => decode(new Uint8Array(bytes))).toThrow(MalformedError);
  });

  it('keeps a key called __proto__ as data', () => {
    const bytes = encode(JSON.parse('{"__proto__": {"polluted": true}}') as Value);
    const read = decode(bytes) as Record<string, Value>;
    expect(Object.keys(read)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe('frames', () => {
  it('ignores unknown kinds and additional fields', () => {
    expect(fromArray([99, 'what', {}])).toBeNull();
    expect(fromArray([9, 7, 'more'])).toEqual({ kind: 9, number: 7 });
  });

  it.each([
    ['no kind', []],
    ['a missing field', [33, 1, 2]],
    ['a field of the wrong type', [37, 1, 'fields']],
    ['half a number', [9, 1.5]],
    ['a page of something else', [38, 1, [[9, 1]], false]],
  ])('refuses %s', (_name, array) => {
    expect(() => fromArray(array as Value)).toThrow(MalformedError);
  });

  it('refuses the other subprotocol', () => {
    expect(() => packed.decode('[9,1]')).toThrow(MalformedError);
    expect(() => json.decode(new ArrayBuffer(1))).toThrow(MalformedError);
    expect(() => json.decode('{')).toThrow(MalformedError);
  });
});
