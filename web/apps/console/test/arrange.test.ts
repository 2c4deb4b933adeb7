import { type Entry, EntryType, Kind } from '@qingniao/protocol/frames';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { arrange, countNew } from '../src/chat/arrange.ts';

const noon = new Date('2026-11-23T12:00:00').getTime();

const entry = (seq: number, type: number, sender = 'v', time = noon + seq * 1_000): Entry => ({
  kind: Kind.ENTRY,
  conversation: 1,
  seq,
  time,
  sender,
  type,
  body: 'text',
});

const log = fc
  .array(
    fc.tuple(
      fc.integer({ min: 0, max: 8 }),
      fc.constantFrom('v', 'b', 'a3'),
      fc.integer({ min: 0, max: 40 }),
    ),
  )
  .map((drawn) => {
    let time = noon;
    return drawn.map(([type, sender, hours], index) => {
      time += hours * 3_600_000;
      return entry(index + 1, type, sender, time);
    });
  });

test('every visible entry appears exactly once and in order', () => {
  fc.assert(
    fc.property(log, (entries) => {
      const shown = arrange(entries, []).flatMap((piece) => {
        if (piece.kind === 'entry') return [piece.entry.seq];
        return piece.kind === 'steps' ? piece.entries.map((step) => step.seq) : [];
      });
      const visible = entries.filter((one) => one.type !== EntryType.HIDDEN).map((one) => one.seq);
      expect(shown).toEqual(visible);
    }),
  );
});

test('keys are unique', () => {
  fc.assert(
    fc.property(log, (entries) => {
      const keys = arrange(entries, []).map((piece) => piece.key);
      expect(new Set(keys).size).toBe(keys.length);
    }),
  );
});

test('bubbles of one sender end together, another sender ends them', () => {
  const pieces = arrange(
    [entry(1, 1), entry(2, 2), entry(3, 1, 'a3'), entry(4, 1, 'a3', noon + 900_000)],
    [],
  );
  expect(pieces.map((piece) => piece.kind === 'entry' && piece.ends)).toEqual([
    false,
    false,
    true,
    true,
    true,
  ]);
});

test('steps in a row fold into one', () => {
  const kinds = arrange(
    [entry(1, 8, 'b'), entry(2, 8, 'b'), entry(3, 3, 'b'), entry(4, 8, 'b')],
    [],
  );
  expect(kinds.map((piece) => piece.kind)).toEqual(['day', 'steps', 'entry', 'steps']);
});

test('an action of mine on its way is not a message', () => {
  const pending = {
    conversation: 1,
    key: 'k',
    n: 1,
    body: { do: 'take' },
    time: noon,
    state: 'sent',
    until: 0,
    error: null,
  } as const;
  expect(arrange([], [{ ...pending, type: EntryType.ACTION }])).toEqual([]);
  expect(arrange([], [{ ...pending, type: EntryType.TEXT, body: 'hi' }])).toHaveLength(1);
});

test('new is what others said, not what I said or the system noted', () => {
  const entries = [entry(1, 1), entry(2, 1), entry(3, 4, 's'), entry(4, 1, 'a3'), entry(5, 3, 'b')];
  expect(countNew(entries, 1, 'a3')).toBe(2);
  expect(countNew(entries, 5, 'a3')).toBe(0);
});
