import fc from 'fast-check';
import { expect, test } from 'vitest';
import { neighbour, order, visible } from '../src/inbox/order.ts';

const ids = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 30 });

test('a held list never moves a row', () => {
  fc.assert(
    fc.property(ids, ids, (held, fresh) => {
      fc.pre(held.length > 0);
      const next = order(held, fresh, true);
      expect(next.ids.slice(0, held.length)).toEqual(held);
      expect(new Set(next.ids).size).toBe(next.ids.length);
    }),
  );
});

test('a held list accounts for every new row: joined at the end or counted', () => {
  fc.assert(
    fc.property(ids, ids, (held, fresh) => {
      fc.pre(held.length > 0);
      const next = order(held, fresh, true);
      const added = fresh.filter((id) => !held.includes(id)).length;
      expect(next.ids.length - held.length + next.waiting).toBe(added);
    }),
  );
});

test('a free list shows the right order', () => {
  expect(order([1, 2, 3], [3, 4, 1], false)).toEqual({ ids: [3, 4, 1], waiting: 0 });
});

test('a page that arrives below joins a held list', () => {
  expect(order([5, 4], [9, 5, 4, 3, 2], true)).toEqual({ ids: [5, 4, 3, 2], waiting: 1 });
});

test.each([
  [[1, 2, 3], 2, 1, 3],
  [[1, 2, 3], 2, -1, 1],
  [[1, 2, 3], 3, 1, 3],
  [[1, 2, 3], null, 1, 1],
  [[1, 2, 3], null, -1, 3],
  [[1, 2, 3], 99, 1, 1],
  [[], null, 1, null],
] as const)('in %j from %s by %i is %s', (rows, from, step, to) => {
  expect(neighbour(rows, from, step)).toBe(to);
});

test('ten thousand rows put only a few on the page', () => {
  const { start, end } = visible(10_000, 88, 440_000, 900);
  expect(start).toBeLessThanOrEqual(5_000);
  expect(end).toBeGreaterThan(5_010);
  expect(end - start).toBeLessThan(30);
});

test('a list that shrank under a deep scroll shows its end, not nothing wrong', () => {
  expect(visible(3, 88, 90_000, 900)).toEqual({ start: 3, end: 3 });
});
