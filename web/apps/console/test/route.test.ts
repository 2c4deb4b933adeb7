import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BOTS, FLOWS, format, HOME, parse, type Route } from '../src/router/route.ts';

const view = fc.constantFrom('mine', 'waiting', 'all' as const);
const route: fc.Arbitrary<Route> = fc.oneof(
  fc.record({
    name: fc.constant('inbox' as const),
    view,
    id: fc.constant(null),
    panel: fc.constant(false),
  }),
  fc.record({
    name: fc.constant('inbox' as const),
    view,
    id: fc.integer({ min: 1 }),
    panel: fc.boolean(),
  }),
  fc.record({ name: fc.constantFrom('knowledge', 'team', 'settings' as const) }),
  fc.record({
    name: fc.constant('bots' as const),
    at: fc.constantFrom('new', 'try' as const),
    bot: fc.constantFrom(null, 'shop', 'new', 'try', 'a-2'),
  }),
  fc.record({ name: fc.constant('flows' as const), flow: fc.constantFrom(null, 'shop', 'a_2') }),
  fc.constantFrom(BOTS, { name: 'bots', at: 'bot', bot: 'new' } as const),
) as fc.Arbitrary<Route>;

test('an address leads back to its route', () => {
  fc.assert(
    fc.property(route, (given) => {
      const [path = '', search = ''] = format(given).split('?');
      expect(parse(path, search)).toEqual(given);
    }),
  );
});

test('any address leads somewhere', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (path, search) => parse(path, search).name !== undefined),
  );
});

test.each(['c/0', 'c/-4', 'c/1e99', 'c/abc', 'c', 'nowhere/at/all'])('%s leads home', (path) => {
  expect(parse(path, '')).toEqual(HOME);
});

test.each(['bots/bot', 'bots/bot/Not-An-Id', 'bots/elsewhere'])('%s leads to all bots', (path) => {
  expect(parse(path, '')).toEqual(BOTS);
});

test.each(['flows', 'flows/Not-An-Id', 'flows/ä'])('%s leads to all flows', (path) => {
  expect(parse(path, '')).toEqual(FLOWS);
});
