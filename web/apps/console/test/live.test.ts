import type { InboxItem } from '@qingniao/client/inbox';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { horizonOf, within } from '../src/inbox/horizon.ts';
import { chooseFollows } from '../src/live/follows.ts';
import { createRows } from '../src/live/rows.ts';
import { worthACall } from '../src/notify/reasons.ts';

const item = (id: number, more: Partial<InboxItem> = {}): InboxItem => ({
  id,
  status: 'bot',
  assignee: null,
  last: 1,
  session: 1,
  time: id,
  since: id,
  preview: '',
  sender: 'v',
  why: null,
  read: { v: 0, a: 0 },
  visitor: { id: `v${id}`, name: '' },
  online: false,
  team: null,
  ...more,
});

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('states of one moment are one change', () => {
  const rows = createRows(() => undefined);
  rows.seed([item(1), item(2)], rows.mark());
  const changed = vi.fn();
  rows.subscribe(changed);
  for (let last = 2; last < 50; last += 1) rows.apply(1, { last });
  vi.runAllTimers();
  expect(changed).toHaveBeenCalledTimes(1);
  expect(rows.current().get(1)?.last).toBe(49);
});

test('a page that was asked for before a state does not undo it', () => {
  const rows = createRows(() => undefined);
  rows.seed([item(1)], rows.mark());
  const mark = rows.mark();
  rows.apply(1, { status: 'open', last: 9 });
  vi.runAllTimers();
  rows.seed([item(1, { last: 8 })], mark);
  expect(rows.current().get(1)?.last).toBe(9);
  rows.seed([item(1, { last: 10 })], rows.mark());
  expect(rows.current().get(1)?.last).toBe(10);
});

test('a row about which too little is known is asked for, and filled in by the answer', () => {
  const strangers = vi.fn();
  const rows = createRows(strangers);
  const mark = rows.mark();
  rows.apply(7, { last: 3 });
  vi.runAllTimers();
  expect(strangers).toHaveBeenCalledWith([7]);
  rows.seed([item(7, { last: 3 })], mark);
  expect(rows.current().get(7)?.visitor.id).toBe('v7');
});

test('below what has been fetched nothing is shown', () => {
  const inbox = new Map([9, 7, 5, 3].map((id) => [id, item(id)]));
  const counts = { mine: 0, waiting: 0, all: 9 };
  const more = horizonOf('all', [{ conversations: [item(9), item(7)], counts, more: true }]);
  expect(within(inbox, 'all', 1, more).map((row) => row.id)).toEqual([9, 7]);
  const whole = horizonOf('all', [{ conversations: [item(9)], counts, more: false }]);
  expect(within(inbox, 'all', 1, whole).map((row) => row.id)).toEqual([9, 7, 5, 3]);
});

test('the queue is fetched and shown from its head', () => {
  const inbox = new Map([2, 4, 6].map((id) => [id, item(id, { status: 'waiting' })]));
  const head = {
    conversations: [item(2), item(4)],
    counts: { mine: 0, waiting: 3, all: 3 },
    more: true,
  };
  expect(within(inbox, 'waiting', 1, horizonOf('waiting', [head])).map((row) => row.id)).toEqual([
    2, 4,
  ]);
});

test('the open conversation is followed first, and never more than allowed', () => {
  expect(chooseFollows(5, [5, 8], [1, 2, 3], 4)).toEqual([5, 8, 1, 2]);
  expect(chooseFollows(null, [], [1, 1], 4)).toEqual([1]);
});

test('a call is worth it for who begins to wait and for replies to me', () => {
  const mine = { status: 'open', assignee: { id: 3, name: '' } } as const;
  expect(worthACall(item(1), item(1, { status: 'waiting' }), 3)).toBe('waiting');
  expect(worthACall(item(1, mine), item(1, { ...mine, time: 5 }), 3)).toBe('message');
  expect(worthACall(item(1, mine), item(1, { ...mine, time: 5, sender: 'a3' }), 3)).toBeNull();
  expect(worthACall(item(1, mine), item(1, { ...mine, online: true }), 3)).toBeNull();
  expect(worthACall(undefined, item(1, { status: 'waiting' }), 3)).toBeNull();
});
