import { expect, test } from 'vitest';
import type { BotFigures, BotTried, BotVersion } from '../src/api/bots.ts';
import {
  type Answer,
  asked,
  heard,
  isOver,
  ROUNDS,
  withAnswer,
  withRound,
} from '../src/bots/asking.ts';
import { changesBetween } from '../src/bots/changes.ts';
import { costEach, type Known, LATELY_MS, money, span, stateOf } from '../src/bots/state.ts';

/** Written so because an object with a `then` would look like a promise. */
const THEN = 'then';
const figures: BotFigures = {
  answers: 10,
  failures: 0,
  first_p50_ms: 200,
  first_p95_ms: 900,
  took_ms: 1_500,
  tokens: 0,
  cost: {},
};
const tried: BotTried = {
  is_ok: true,
  code: '',
  detail: '',
  text: '',
  citations: [],
  confidence: null,
  partial: false,
  actions: [],
  first_ms: 0,
  took_ms: 0,
  prompt_tokens: 0,
  completion_tokens: 0,
  cost: 0,
  currency: '',
};
const NOW = 1_800_000_000_000;
const well: Known = { isPublished: true, check: tried, failure: null, figures };
const failure = (agoMs: number) => ({ code: 'bot', detail: 'x', time: NOW - agoMs });

test.each([
  [{}, 'well'],
  [{ check: undefined }, 'checking'],
  [{ isPublished: false }, 'draft'],
  [{ isPublished: false, check: { ...tried, is_ok: false } }, 'ill'],
  [{ check: { ...tried, is_ok: false }, failure: failure(1) }, 'ill'],
  [{ failure: failure(LATELY_MS - 1) }, 'failing'],
  [{ failure: failure(LATELY_MS + 1) }, 'well'],
  [{ figures: { ...figures, first_p95_ms: 9_000 } }, 'slow'],
  [{ figures: { ...figures, first_p95_ms: 9_000, answers: 2 } }, 'well'],
] as const)('%j is %s', (more, state) => {
  expect(stateOf({ ...well, ...more }, NOW)).toBe(state);
});

test('what an answer costs is told by currency, or not at all', () => {
  expect(costEach(figures)).toEqual([]);
  expect(costEach({ ...figures, cost: { CNY: 0.02, USD: 5 } })).toEqual([
    ['USD', 0.5],
    ['CNY', 0.002],
  ]);
  expect(costEach({ ...figures, answers: 0, cost: { CNY: 1 } })).toEqual([]);
});

test.each([
  [0.0021, 'CNY', 'zh-CN', '¥0.0021'],
  [1.5, 'CNY', 'zh-CN', '¥1.50'],
  [0.5, 'USD', 'en', '$0.50'],
  [0.25, '', 'en', '0.25'],
  [0.25, 'points', 'en', '0.25 points'],
])('%d %s in %s is %s', (amount, currency, locale, said) => {
  expect(money(amount, currency, locale)).toBe(said);
});

test.each([
  [172, '172 ms'],
  [1_140, '1.1 s'],
  [42_300, '42 s'],
])('%d ms is %s', (ms, said) => {
  expect(span(ms, 'en')).toBe(said);
});

test('versions are compared setting by setting', () => {
  const version = (more: Partial<BotVersion>): BotVersion => ({
    version: 1,
    kind: 'openai',
    name: 'm',
    status: 'published',
    settings: {},
    policy: {},
    note: '',
    updated: 1,
    ...more,
  });
  const before = version({ settings: { model: 'a', history: 4 }, policy: { tries: 2 } });
  const after = version({
    name: 'n',
    note: 'not compared',
    settings: { model: 'b', extra: { top_p: 1 } },
    policy: { tries: 2, [THEN]: ['a', 'local'] },
  });
  expect(changesBetween(before, before)).toEqual([]);
  expect(changesBetween(before, after)).toEqual([
    { field: 'name', before: 'm', after: 'n' },
    { field: 'extra', before: '', after: '{"top_p":1}' },
    { field: 'history', before: '4', after: '' },
    { field: 'model', before: 'a', after: 'b' },
    { field: 'policy.then', before: '', after: 'a → local' },
  ]);
});

test('an answer grows piece by piece, and its end wins over the pieces', () => {
  let answer: Answer = asked('shop', 1);
  const hear = (piece: Parameters<typeof heard>[1]) => {
    answer = heard(answer, piece);
    return [answer.phase, answer.text, answer.step];
  };
  expect(hear({ working: 'search' })).toEqual(['asked', '', 'search']);
  expect(hear({ delta: '自签' })).toEqual(['writing', '自签', '']);
  expect(hear({ retracted: true })).toEqual(['writing', '', '']);
  expect(hear({ delta: '七天' })).toEqual(['writing', '七天', '']);
  expect(hear({ done: { ...tried, text: '七天内' } })).toEqual(['done', '七天内', '']);
  expect([answer.hasRetracted, isOver(answer)]).toEqual([true, true]);
});

test('what was left of an answer that failed is not whole', () => {
  const half = heard(asked('shop', 1), { delta: '自签' });
  const end = heard(half, { done: { ...tried, is_ok: false, detail: 'The answer broke off.' } });
  expect([end.phase, end.text, end.tried?.is_ok]).toEqual(['failed', '自签', false]);
});

test('only the last questions are kept, and an answer changes in its place alone', () => {
  let rounds: Parameters<typeof withRound>[0] = [];
  for (let id = 1; id <= ROUNDS + 5; id += 1) {
    const answers = [asked('a', 1), asked('b', 2)];
    rounds = withRound(rounds, { id, question: `${id}`, answers });
  }
  expect([rounds.length, rounds[0]?.id]).toEqual([ROUNDS, 6]);
  const changed = withAnswer(rounds, 7, 1, (held) => ({ ...held, text: 'x' }));
  const texts = changed.flatMap((one) => one.answers.map(({ text }) => text));
  expect(texts.filter((text) => text !== '')).toEqual(['x']);
  expect(changed[1]?.answers[1]?.text).toBe('x');
});
