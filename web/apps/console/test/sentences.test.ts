import { beforeAll, expect, test } from 'vitest';
import { botSentence } from '../src/bots/sentences.ts';
import chinese from '../src/bots/sentences.zh-CN.json';
import { speak } from './words.ts';

let t: Awaited<ReturnType<typeof speak>>['t'];
beforeAll(async () => {
  t = (await speak('zh-CN')).t;
});

test.each([
  ['Dify failed inside.', 'Dify 内部出错了。'],
  ['api.x.cn does not accept the key.', 'api.x.cn 不接受这个密钥。'],
  ['api.x.cn failed inside (HTTP 502).', 'api.x.cn 内部出错（HTTP 502）。'],
  [
    'Dify does not accept the key: it begins with app-. It says: Access token is invalid',
    'Dify 不接受这个密钥：应用的密钥以 app- 开头。平台原话：Access token is invalid',
  ],
  [
    'shop is left alone for 25 s after failures. x.cn stayed silent for too long.',
    '连续失败，先让它歇 25 秒，期间不再问它。最近一次：x.cn 太久没有回应。',
  ],
  ['Something nobody translated.', 'Something nobody translated.'],
])('%s', (english, said) => {
  expect(botSentence(english, 'zh-CN', t)).toBe(said);
});

test('english stays as the server wrote it', () => {
  const said = 'Dify failed inside. It says: boom';
  expect(botSentence('Dify failed inside.', 'en', t)).toBe('Dify failed inside.');
  expect(botSentence(said, 'en', t)).toContain('Dify failed inside.');
});

test('every translation fills only holes that there are, and ends like a sentence', () => {
  for (const [english, said] of Object.entries(chinese)) {
    const holes = english.split('{}').length - 1;
    const used = [...said.matchAll(/\{(\d)\}/g)].map(([, number]) => Number(number));
    expect([english, used.every((number) => number < holes)]).toEqual([english, true]);
    expect([english, /[。？！]$|\{\d\}$/.test(said)]).toEqual([english, true]);
    expect([english, /[\u4e00-\u9fff][,;?!](?=[\u4e00-\u9fff]|$)/.test(said)]).toEqual([
      english,
      false,
    ]);
  }
});
