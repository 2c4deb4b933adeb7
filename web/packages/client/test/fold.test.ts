import { type Entry, Kind, type StateFields } from '@qingniao/protocol/frames';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applyEntry,
  applyState,
  type Conversation,
  emptyConversation,
  lastSeq,
} from '../src/conversation.ts';
import { applyInboxState, type InboxItem, rowsOf, seedInbox } from '../src/inbox.ts';

const entry = (seq: number): Entry => ({
  kind: Kind.ENTRY,
  conversation: 1,
  seq,
  time: seq,
  sender: 'v',
  type: 1,
  body: `${seq}`,
});
const log = Array.from({ length: 40 }, (_, index) => entry(index + 1));
const whole = log.reduce(applyEntry, emptyConversation(1));

describe('a conversation', () => {
  it('is the same whatever the order, with repeats, once everything is there', () => {
    const shuffled = fc.shuffledSubarray(log, { minLength: log.length });
    fc.assert(
      fc.property(shuffled, fc.array(fc.constantFrom(...log)), (order, repeats) => {
        const view = [...order, ...repeats].reduce(applyEntry, emptyConversation(1));
        expect(view.entries).toEqual(whole.entries);
        expect(view.ahead).toEqual([]);
      }),
    );
  });

  it('never has a hole in what it shows', () => {
    fc.assert(
      fc.property(fc.subarray(log), (some) => {
        const view = some.reduce(applyEntry, emptyConversation(1));
        expect(view.entries.map((one) => one.seq)).toEqual(view.entries.map((_, at) => at + 1));
      }),
    );
  });

  it('equals a fresh fetch after a snapshot and the events since', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40 }), (at) => {
        const snapshot = log.slice(0, at).reduce(applyEntry, emptyConversation(1));
        const resumed = log.slice(lastSeq(snapshot)).reduce(applyEntry, snapshot);
        expect(resumed).toEqual(whole);
      }),
    );
  });

  it('merges state: present replaces, null clears, absent stays', () => {
    const held: Conversation = applyState(emptyConversation(1), {
      status: 'open',
      assignee: { id: 7, name: '周宁' },
      queue: { ahead: 1, eta_s: 5 },
    });
    const next = applyState(held, { assignee: null, read: { v: 1, a: 2 } });
    expect(next.state).toEqual({
      status: 'open',
      assignee: null,
      queue: { ahead: 1, eta_s: 5 },
      read: { v: 1, a: 2 },
    });
    expect(held.state.assignee).toEqual({ id: 7, name: '周宁' });
  });
});

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
  visitor: { id: `u${id}`, name: '' },
  online: true,
  team: null,
  ...more,
});

describe('the inbox', () => {
  const change: fc.Arbitrary<StateFields> = fc.record(
    {
      status: fc.constantFrom('bot', 'waiting', 'open', 'closed'),
      assignee: fc.constantFrom(null, { id: 7, name: 'a' }, { id: 8, name: 'b' }),
      last: fc.integer({ min: 1, max: 50 }),
      time: fc.integer({ min: 1, max: 50 }),
      since: fc.integer({ min: 1, max: 50 }),
      preview: fc.string(),
      why: fc.constantFrom(null, 'asked'),
      team: fc.constantFrom(null, { id: 2, name: 'returns' }),
    },
    { requiredKeys: [] },
  );

  it('equals a fresh list after any changes', () => {
    const changes = fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), change), { maxLength: 40 });
    fc.assert(
      fc.property(changes, (states) => {
        const start = [1, 2, 3, 4, 5].map((id) => item(id));
        const truth = new Map(start.map((one) => [one.id, one]));
        let inbox = seedInbox(start);
        for (const [id, fields] of states) {
          truth.set(id, { ...(truth.get(id) as InboxItem), ...fields } as InboxItem);
          inbox = applyInboxState(inbox, id, { ...fields, n: 3, from: 9 });
        }
        const fresh = seedInbox([...truth.values()]);
        for (const view of ['mine', 'waiting', 'all'] as const) {
          expect(rowsOf(inbox, view, 7)).toEqual(rowsOf(fresh, view, 7));
        }
      }),
    );
  });

  it('puts who waits longest first', () => {
    const waiting = [item(1, { since: 30 }), item(2, { since: 10 }), item(3, { since: 20 })];
    const inbox = seedInbox(waiting.map((one) => ({ ...one, status: 'waiting' as const })));
    expect(rowsOf(inbox, 'waiting', 7).map((one) => one.id)).toEqual([2, 3, 1]);
  });
});
