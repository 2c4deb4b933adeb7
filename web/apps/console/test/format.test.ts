import i18next from 'i18next';
import { beforeAll, expect, test } from 'vitest';
import { AVATAR_COLOURS, badge, colourOf, initial, visitorName } from '../src/format/names.ts';
import { fileSize } from '../src/format/size.ts';
import { browserName, pageName } from '../src/visitor/describe.ts';
import { withTag } from '../src/visitor/tags.tsx';
import { speak } from './words.ts';

beforeAll(() => speak('zh-CN'));

test('a nameless visitor is called by the first four characters of the id', () => {
  expect(visitorName({ id: '8f2c99d0', name: ' ' }, i18next.t)).toBe('访客 8F2C');
  expect(visitorName({ id: '8f2c99d0', name: '林晓雨' }, i18next.t)).toBe('林晓雨');
});

test.each([
  ['林晓雨', '林'],
  ['hannah', 'H'],
  ['👩‍👧 family', '👩‍👧'],
  ['', '?'],
])('%s shows %s', (name, shown) => {
  expect(initial(name)).toBe(shown);
});

test('a colour is one of the palette and stays', () => {
  for (const id of ['a', '8f2c', 'd0012aab', '']) {
    expect(colourOf(id)).toBe(colourOf(id));
    expect(colourOf(id)).toBeLessThan(AVATAR_COLOURS);
  }
  expect(new Set(Array.from({ length: 200 }, (_, i) => colourOf(`v${i}`))).size).toBe(
    AVATAR_COLOURS,
  );
});

test.each([
  [0, '0 B'],
  [812, '812 B'],
  [1_024, '1.0 KB'],
  [84_200, '82 KB'],
  [1_048_575, '1.0 MB'],
  [20 * 1_048_576, '20 MB'],
])('%i bytes are %s', (bytes, said) => {
  expect(fileSize(bytes)).toBe(said);
});

test('large counts stop counting', () => {
  expect([badge(7), badge(99), badge(100)]).toEqual(['7', '99', '99+']);
});

test.each([
  [
    'Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/142.0 Safari/537.36 Edg/142.0',
    'Edge 142 · Windows',
  ],
  [
    'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Mobile Safari/604.1',
    'Safari 19 · iPhone',
  ],
  ['Mozilla/5.0 (Linux; Android 16) Chrome/141.0 Mobile MicroMessenger/9.0', 'WeChat 9 · Android'],
  ['Firefox 140 / Linux', 'Firefox 140 / Linux'],
])('%s is %s', (agent, said) => {
  expect(browserName(agent)).toBe(said);
});

test('a page is called by its title, or where it is', () => {
  expect(pageName('https://shop.example/a/b?c', '退换货 ')).toBe('退换货');
  expect(pageName('https://shop.example/', '')).toBe('shop.example');
  expect(pageName('https://shop.example/%E9%80%80', '')).toBe('shop.example/退');
  expect(pageName('not an address', '')).toBe('not an address');
});

test('a tag is added once, trimmed, up to a bound', () => {
  expect(withTag(['老客'], ' VIP ')).toEqual(['老客', 'VIP']);
  expect(withTag(['老客'], '老客')).toEqual(['老客']);
  expect(withTag(['老客'], '  ')).toEqual(['老客']);
  const full = Array.from({ length: 20 }, (_, i) => `t${i}`);
  expect(withTag(full, 'more')).toBe(full);
});
