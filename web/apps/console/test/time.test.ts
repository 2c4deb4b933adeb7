import i18next from 'i18next';
import { beforeAll, expect, test } from 'vitest';
import { ago, clock, dayLine, daysBetween, stopwatch } from '../src/format/time.ts';
import { speak } from './words.ts';

const at = (text: string): number => new Date(text).getTime();
const now = at('2026-11-23T14:03:00');

beforeAll(() => speak('zh-CN'));

test.each([
  ['2026-11-23T14:02:30', '刚刚'],
  ['2026-11-23T14:03:20', '刚刚'],
  ['2026-11-23T13:57:00', '6 分钟'],
  ['2026-11-23T09:05:00', '09:05'],
  ['2026-11-22T23:59:00', '昨天'],
  ['2026-10-12T10:00:00', '10月12日'],
  ['2025-10-12T10:00:00', '2025/10/12'],
])('%s is %s ago', (moment, said) => {
  expect(ago(at(moment), now, i18next.t, 'zh-CN')).toBe(said);
});

test.each([
  [8_000, '0:08'],
  [102_000, '1:42'],
  [3_849_000, '1:04:09'],
  [5 * 3_600_000, '5 小时'],
  [76 * 3_600_000, '3 天'],
  [-5, '0:00'],
])('%i ms on the stopwatch is %s', (span, said) => {
  expect(stopwatch(span, i18next.t)).toBe(said);
});

test('midnight, not 24 hours, makes yesterday', () => {
  expect(daysBetween(at('2026-11-22T23:59:59'), at('2026-11-23T00:00:01'))).toBe(1);
  expect(daysBetween(at('2026-11-23T00:00:01'), at('2026-11-23T23:59:59'))).toBe(0);
});

test('days are named as people name them', () => {
  expect(dayLine(now, now, i18next.t, 'zh-CN')).toBe('今天');
  expect(dayLine(at('2026-11-16T10:00:00'), now, i18next.t, 'zh-CN')).toBe('11月16日 星期一');
  expect(clock(now)).toBe('14:03');
});
