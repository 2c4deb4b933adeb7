import { expect, test } from 'vitest';
import { emptyForm } from '../src/bots/form.ts';
import { forget, keep, keptOf } from '../src/bots/unsaved.ts';

const form = {
  ...emptyForm('dify', []),
  name: '售前',
  secrets: { key: { mode: 'entered', text: 'app-x' } },
} as const;

test('what was typed is there again, but for secrets', () => {
  keep('shop', 7, form);
  expect(keptOf('shop', 7)).toEqual({ ...form, secrets: {} });
  forget('shop');
  expect(keptOf('shop', 7)).toBeUndefined();
});

test('what was typed for an older version is not', () => {
  keep('shop', 7, form);
  expect(keptOf('shop', 8)).toBeUndefined();
});

test('no more is kept than anybody has open', () => {
  for (let number = 0; number < 30; number += 1) keep(`bot-${number}`, 1, form);
  expect(keptOf('bot-0', 1)).toBeUndefined();
  expect(keptOf('bot-29', 1)).toBeDefined();
});
