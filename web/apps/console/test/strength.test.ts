import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MIN_LENGTH, strengthOf } from '../src/signin/strength.ts';

test.each([
  ['', 'empty'],
  ['abc', 'short'],
  ['password123', 'common'],
  ['Password!!!', 'common'],
  ['zhouning2026x', 'common'],
  ['aaaaaaaaaaaa', 'weak'],
  ['abcabcabcabc', 'weak'],
  ['bluebird 26', 'fair'],
  ['山雀飞过山岗去看海', 'short'],
  ['山雀飞过山岗去看海了', 'strong'],
  ['quiet-heron-4417-maple', 'strong'],
])('%s is %s', (password, grade) => {
  expect(strengthOf(password, 'zhouning').grade).toBe(grade);
});

test('under the length it says how much is missing, in characters and not in code units', () => {
  expect(strengthOf('😀😀😀')).toEqual({ grade: 'short', missing: MIN_LENGTH - 3 });
});

test('what is long enough is never called short', () => {
  fc.assert(
    fc.property(fc.string({ minLength: MIN_LENGTH, unit: 'grapheme-ascii' }), (password) => {
      expect(['empty', 'short']).not.toContain(strengthOf(password).grade);
    }),
  );
});
