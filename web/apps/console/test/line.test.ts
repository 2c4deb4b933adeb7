import i18next from 'i18next';
import { beforeAll, expect, test } from 'vitest';
import { statusOf } from '../src/chat/bodies.ts';
import { statusLine } from '../src/chat/line.ts';
import { speak } from './words.ts';

beforeAll(() => speak('zh-CN'));

const zhou = { id: 3, name: '周宁' };

test.each([
  [{ from: 'bot', to: 'waiting', why: 'asked', by: 'v' }, null, '转人工：访客要求'],
  [{ from: 'bot', to: 'waiting', why: 'never heard of', by: 'b' }, null, '转人工：需要人工'],
  [{ from: 'waiting', to: 'open', why: '', by: 'a3', agent: zhou }, 8_000, '周宁 接入，等待 0:08'],
  [{ from: 'bot', to: 'open', why: '', by: 'a3', agent: zhou }, null, '周宁 接入'],
  [{ from: 'open', to: 'bot', why: '', by: 'a3', agent: zhou }, null, '周宁 交还机器人'],
  [{ from: 'closed', to: 'bot', why: '', by: 'v' }, null, '访客再次来访，机器人接待'],
  [{ from: '', to: 'bot', why: '', by: 's' }, null, '机器人开始接待'],
  [{ from: 'open', to: 'closed', why: '', by: 'a3', agent: zhou }, null, '周宁 结束了会话'],
  [{ from: 'open', to: 'closed', why: 'idle', by: 's' }, null, '长时间没有消息，会话自动结束'],
] as const)('%j reads as a sentence', (body, waited, said) => {
  const status = statusOf(body);
  expect(status === null ? null : statusLine(status, waited, i18next.t)).toBe(said);
});
