import { type Entry, Kind } from '@qingniao/protocol/frames';
import i18next from 'i18next';
import { beforeAll, expect, test } from 'vitest';
import { stagesOf, statusOf } from '../src/chat/bodies.ts';
import { statusLine } from '../src/chat/line.ts';
import { storyOf } from '../src/chat/story.ts';
import { traceLine } from '../src/chat/trace.ts';
import { speak } from './words.ts';

beforeAll(() => speak('zh-CN'));

const zhou = { id: 3, name: '周宁' };

test.each([
  [{ from: 'bot', to: 'waiting', why: 'asked', by: 'v' }, null, '', '转人工：访客要求'],
  [{ from: 'bot', to: 'waiting', why: 'never heard of', by: 'b' }, null, '', '转人工：需要人工'],
  [
    { from: 'bot', to: 'waiting', why: 'bot_called', by: 'b', team: { id: 7, name: '售后组' } },
    null,
    '',
    '转给售后组：机器人请求人工',
  ],
  [
    { from: 'waiting', to: 'open', why: 'took', by: 'a3', agent: zhou },
    8_000,
    '',
    '周宁 接入，等待 0:08',
  ],
  [
    { from: 'waiting', to: 'open', why: 'least_busy', by: 's', agent: zhou },
    8_000,
    '',
    '周宁 接入，等待 0:08 · 自动分配，手上会话最少',
  ],
  [{ from: 'bot', to: 'open', why: 'took', by: 'a3', agent: zhou }, null, '', '周宁 接入'],
  [{ from: 'open', to: 'bot', why: 'returned', by: 'a3' }, null, '周宁', '周宁 交还机器人'],
  [
    { from: 'closed', to: 'bot', why: 'wrote_again', by: 'v' },
    null,
    '',
    '访客再次来访，机器人接待',
  ],
  [{ from: '', to: 'bot', why: '', by: 's' }, null, '', '机器人开始接待'],
  [{ from: 'open', to: 'closed', why: 'closed', by: 'a3' }, null, '周宁', '周宁 结束了会话'],
  [{ from: 'open', to: 'closed', why: 'closed', by: 'a9' }, null, '', '会话已结束'],
  [{ from: 'open', to: 'closed', why: 'idle', by: 's' }, null, '', '长时间没有消息，会话自动结束'],
] as const)('%j reads as a sentence', (body, waited, by, said) => {
  const status = statusOf(body);
  expect(status === null ? null : statusLine(status, waited, by, i18next.t)).toBe(said);
});

test('the changes of hands tell names, waits and why', () => {
  const entry = (seq: number, time: number, body: Entry['body']): Entry => ({
    kind: Kind.ENTRY,
    conversation: 1,
    seq,
    time,
    sender: 's',
    type: 4,
    body,
  });
  const story = storyOf([
    entry(1, 1_000, { from: 'bot', to: 'waiting', why: 'angry', by: 'b' }),
    entry(2, 9_000, { from: 'waiting', to: 'open', why: 'took', by: 'a3', agent: zhou }),
    entry(3, 20_000, { from: 'open', to: 'closed', why: 'closed', by: 'a3' }),
  ]);
  expect([story.handedOver, story.given]).toEqual(['angry', '']);
  expect([...story.waits]).toEqual([[2, 8_000]]);
  expect(story.names.get('a3')).toBe('周宁');
});

test('who has it keeps why they got it', () => {
  const body = { from: 'waiting', to: 'open', why: 'least_busy', by: 's', agent: zhou };
  const entry = {
    kind: Kind.ENTRY,
    conversation: 7,
    seq: 2,
    time: 9_000,
    sender: 's',
    type: 4,
    body,
  } as const;
  expect(storyOf([entry]).given).toBe('least_busy');
});

test('a trace reads as the way through the flow, without what always happens', () => {
  const trace = [
    { node: 'n1', kind: 'start', port: 'asked', ms: 0.1 },
    { node: 'n2', kind: 'sensitive', port: 'passed', ms: 0.1, verdict: 'clean' },
    { node: 'n3', kind: 'intent', port: 'other', ms: 0.4, intent: 'question', confidence: 0.991 },
    { node: 'n4', kind: 'knowledge', port: 'unsure', ms: 3, confidence: 0.31 },
    { node: 'n5', kind: 'handoff', port: '', ms: 0, why: 'unsure', team: '售后组' },
  ];
  expect(traceLine(stagesOf({ trace }), i18next.t)).toBe(
    '意图 提问 0.99 → 知识库 没把握 0.31 → 转人工 机器人没把握 售后组',
  );
});
