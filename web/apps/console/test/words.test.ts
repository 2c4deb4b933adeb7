import { expect, test } from 'vitest';
import flowsEn from '../src/flows/words/en.json';
import flowsZh from '../src/flows/words/zh-CN.json';
import en from '../src/i18n/en.json';
import { firstLocale } from '../src/i18n/setup.ts';
import zh from '../src/i18n/zh-CN.json';

type Words = { readonly [key: string]: string | Words };

function flat(words: Words, path = ''): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(words)) {
    if (typeof value === 'string') found.set(path + key, value);
    else for (const [inner, text] of flat(value, `${path}${key}.`)) found.set(inner, text);
  }
  return found;
}

const bare = (key: string): string => key.replace(/_(one|other)$/, '');
const holes = (text: string): string[] =>
  [...text.matchAll(/\{\{(\w+)\}\}/g)].map(([hole]) => hole).sort();

const chinese = flat({ ...zh, flows: flowsZh });
const english = flat({ ...en, flows: flowsEn });

test('both languages say the same things', () => {
  expect([...new Set([...english.keys()].map(bare))].sort()).toEqual(
    [...new Set([...chinese.keys()].map(bare))].sort(),
  );
});

test('a translated sentence has the same holes to fill', () => {
  const byKey = new Map([...chinese].map(([key, text]) => [bare(key), text]));
  for (const [key, text] of english)
    expect([key, holes(text)]).toEqual([key, holes(byKey.get(bare(key)) ?? '')]);
});

test('english has a singular wherever it has a plural', () => {
  for (const key of english.keys()) {
    if (key.endsWith('_other')) expect(english.has(key.replace(/_other$/, '_one'))).toBe(true);
  }
});

test('chinese sentences use chinese punctuation', () => {
  for (const [key, text] of chinese)
    expect([key, /[\u4e00-\u9fff][,;?!](?=[\u4e00-\u9fff]|$)/.test(text)]).toEqual([key, false]);
});

test.each([
  ['en', ['zh-CN'], 'en'],
  [null, ['fr', 'en-GB', 'zh'], 'en'],
  [null, ['zh-TW', 'en'], 'zh-CN'],
  ['nonsense', ['de'], 'zh-CN'],
] as const)('kept %s and wanted %j begins in %s', (kept, wanted, begins) => {
  expect(firstLocale(kept, wanted)).toBe(begins);
});
