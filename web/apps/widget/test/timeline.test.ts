import { applyEntry, emptyConversation, putPending } from '@qingniao/client/conversation';
import {
  type Body,
  type Entry,
  EntryType,
  Kind,
  type StateFields,
} from '@qingniao/protocol/frames';
import { describe, expect, it } from 'vitest';
import { copy as en } from '../src/copy/en.ts';
import { copy } from '../src/copy/zh.ts';
import { timeline } from '../src/timeline.ts';

const NOW = 1_795_500_000_000;
const MINUTE = 60_000;
type Short = readonly [sender: string, type: number, body: Body, minutesAgo?: number];

function view(lines: readonly Short[], state: StateFields = { status: 'bot' }) {
  const entries = lines.map(
    ([sender, type, body, ago = 0], index): Entry => ({
      kind: Kind.ENTRY,
      conversation: 1,
      seq: index + 1,
      time: NOW - ago * MINUTE,
      sender,
      type,
      body,
    }),
  );
  return entries.reduce(applyEntry, { ...emptyConversation(1), state });
}
const lines = (...given: Parameters<typeof view>) => timeline(view(...given), copy, NOW).lines;
const { TEXT, ANSWER, STATUS, RATING, NOTE, HIDDEN, SUMMARY } = EntryType;
const closed = { from: 'open', to: 'closed', why: 'done', by: 'a7', session: 1 };

describe('the timeline', () => {
  it('shows what was said and never what only agents may see', () => {
    const shown = lines([
      ['v', TEXT, '你好'],
      ['s', HIDDEN, null],
      ['a7', NOTE, '脾气不好'],
      ['b', SUMMARY, { text: '小结' }],
      ['b', ANSWER, { text: '您好' }],
    ]).flatMap((line) => ('body' in line ? [line.body] : []));
    expect(shown).toEqual(['你好', { text: '您好' }]);
  });

  it('says handovers in words and names the agent from then on', () => {
    const agent = { id: 7, name: '周宁' };
    const shown = lines([
      ['s', STATUS, { from: 'bot', to: 'waiting' }],
      ['s', STATUS, { from: 'waiting', to: 'open', agent }],
      ['a7', TEXT, '您好'],
    ]);
    expect(shown).toMatchObject([
      { kind: 'status', text: copy.toWaiting },
      { kind: 'status', text: '周宁 已加入' },
      { kind: 'time' },
      { kind: 'theirs', who: 'agent', name: '周宁' },
    ]);
  });

  it('separates by time after a pause, and groups by sender', () => {
    const shown = lines([
      ['v', TEXT, 'a', 30],
      ['v', TEXT, 'b', 29],
      ['b', ANSWER, { text: 'c' }, 10],
      ['b', ANSWER, { text: 'd' }, 9],
    ]);
    expect(shown.map((line) => ('isFirst' in line ? line.isFirst : line.kind))).toEqual([
      'time',
      true,
      false,
      'time',
      true,
      false,
    ]);
  });

  it('marks as read only what a person has read', () => {
    const said: Short[] = [
      ['v', TEXT, 'a'],
      ['v', TEXT, 'b'],
    ];
    const states = (state: StateFields) =>
      lines(said, state).flatMap((line) => (line.kind === 'mine' ? [line.state] : []));
    expect(states({ status: 'open', read: { v: 0, a: 1 } })).toEqual(['read', 'stored']);
    expect(states({ status: 'bot', read: { v: 0, a: 2 } })).toEqual(['stored', 'stored']);
  });

  it('offers choices under the last answer only', () => {
    const answer: Short = ['b', ANSWER, { text: 'a', options: ['查物流', 7 as never, '退货'] }];
    expect(timeline(view([answer]), copy, NOW).options).toEqual(['查物流', '退货']);
    expect(timeline(view([answer, ['v', TEXT, 'b']]), copy, NOW).options).toEqual([]);
  });

  it('asks for a rating once, after the end', () => {
    const end: Short = ['s', STATUS, closed];
    const asks = (...given: Short[]) =>
      timeline(view(given, { status: 'closed' }), copy, NOW).asksRating;
    expect(asks(['v', TEXT, 'a'])).toBe(false);
    expect(asks(['v', TEXT, 'a'], end)).toBe(true);
    expect(asks(['v', TEXT, 'a'], end, ['v', RATING, { score: 4 }])).toBe(false);
    expect(asks(['v', TEXT, 'a'], end, ['v', TEXT, 'b'])).toBe(false);
  });

  it('rates single answers of bots, the last word counting, also before it is sent', () => {
    const given: Short[] = [
      ['v', TEXT, 'a'],
      ['b', ANSWER, { text: 'b', bot: 'local' }],
      ['b', ANSWER, { text: 'canned' }],
      ['a7', TEXT, 'c'],
      ['v', RATING, { score: 5, of: 2 }],
    ];
    const thumbs = (shown: ReturnType<typeof timeline>) =>
      shown.lines.flatMap((line) => (line.kind === 'theirs' ? [line.thumb] : []));
    expect(thumbs(timeline(view(given.slice(0, 4)), copy, NOW))).toEqual([0, undefined, undefined]);
    const rated = view(given);
    expect(thumbs(timeline(rated, copy, NOW))).toEqual([5, undefined, undefined]);
    expect(timeline(rated, copy, NOW).lines.some((line) => line.kind === 'status')).toBe(false);
    const body = { score: 0, of: 2 };
    const pending = { key: 'k', conversation: 1, n: 1, type: RATING, body, time: NOW, until: 0 };
    const unsent = { ...pending, state: 'waiting', error: null } as const;
    expect(thumbs(timeline(putPending(rated, unsent), copy, NOW))).toEqual([
      0,
      undefined,
      undefined,
    ]);
    const closing: Short[] = [...given.slice(0, 4), ['s', STATUS, closed], given[4] as Short];
    expect(timeline(view(closing, { status: 'closed' }), copy, NOW).asksRating).toBe(true);
  });

  it('shows that the bot thinks until it answers, but not for ever', () => {
    const thinks = (...given: Short[]) => timeline(view(given), copy, NOW).isTyping;
    expect(thinks(['v', TEXT, 'a'])).toBe(true);
    expect(thinks(['v', TEXT, 'a'], ['b', ANSWER, { text: 'b' }])).toBe(false);
    expect(thinks(['v', TEXT, 'a', 1])).toBe(false);
  });

  it('puts what is unsent last, with why it failed', () => {
    const pending = { key: 'k', conversation: 1, n: 1, type: TEXT, body: 'x', time: NOW, until: 0 };
    const failed = { ...pending, state: 'failed', error: { code: 112, text: '' } } as const;
    const shown = timeline(putPending(view([['b', ANSWER, { text: 'a' }]]), failed), copy, NOW);
    expect(shown.lines.at(-1)).toMatchObject({ kind: 'mine', state: 'failed', code: 112 });
  });
});

describe('the words', () => {
  it('are whole in both languages and count in English', () => {
    expect(Object.keys(en)).toEqual(Object.keys(copy));
    expect([en.newMessages(1), en.newMessages(3)]).toEqual(['1 new message', '3 new messages']);
    expect(JSON.stringify(copy)).not.toMatch(/(?<!您|让)你/);
  });
});
