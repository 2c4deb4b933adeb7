import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { fromArray, json, packed, toArray } from '../src/codec.ts';
import type { Value } from '../src/msgpack.ts';

interface Golden {
  readonly name: string;
  readonly frame: Value;
  readonly msgpack: string;
}

const path = fileURLToPath(new URL('../../../../tests/data/golden_frames.json', import.meta.url));
const golden = JSON.parse(readFileSync(path, 'utf8')) as Golden[];

const hex = (bytes: string | Uint8Array): string =>
  Buffer.from(bytes as Uint8Array).toString('hex');

describe.each(golden)('$name', ({ frame: array, msgpack }) => {
  const frame = fromArray(array);

  it('reads the same from both spellings', () => {
    expect(frame).not.toBeNull();
    expect(packed.decode(new Uint8Array(Buffer.from(msgpack, 'hex')))).toEqual(frame);
    expect(json.decode(JSON.stringify(array))).toEqual(frame);
  });

  it('is spelled as the server spells it', () => {
    if (frame === null) throw new Error('unknown kind');
    expect(toArray(frame)).toEqual(array);
    expect(hex(packed.encode(frame))).toBe(msgpack);
  });
});
