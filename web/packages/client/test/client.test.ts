import { Kind } from '@qingniao/protocol/frames';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Client, connect } from '../src/connect.ts';
import { lastSeq } from '../src/conversation.ts';
import { RefusedError } from '../src/link.ts';
import { memoryOutbox, type OutboxStore } from '../src/outbox.ts';
import { type FakeClock, FakeServer, fakeClock } from './fake.ts';

let clock: FakeClock;
let server: FakeServer;
let store: OutboxStore;

beforeEach(() => {
  clock = fakeClock();
  server = new FakeServer(clock);
  store = memoryOutbox('d1');
});

async function online(token: () => Promise<string> = async () => 't'): Promise<Client> {
  const { transport } = server;
  const client = connect({
    url: 'ws://x/ws',
    token,
    me: 'v',
    follow: [1],
    store,
    transport,
    clock,
  });
  await clock.pass(50);
  return client;
}

const bodies = (client: Client) => client.view(1).entries.map((entry) => entry.body);
const logged = () => server.log.map((entry) => entry.body);

describe('reading', () => {
  it('replays what is there and follows what comes', async () => {
    server.say('b', 'hello', 1, true);
    const client = await online();
    expect(client.status.phase).toBe('online');
    server.say('b', 'more');
    expect(bodies(client)).toEqual(['hello', 'more']);
  });

  it('resumes from its cursor after a slow close, without repeats', async () => {
    const client = await online();
    server.say('b', 'one');
    server.hangUp(3008);
    expect(client.status).toMatchObject({ phase: 'waiting', code: 3008 });
    server.say('b', 'two', 1, true);
    await clock.pass(60_000);
    expect(bodies(client)).toEqual(['one', 'two']);
    expect(server.received.findLast((frame) => frame.kind === Kind.HELLO)).toMatchObject({
      cursors: [[1, 1]],
    });
  });

  it('asks once for a hole and shows nothing out of order', async () => {
    const client = await online();
    server.say('b', 'one');
    server.isMute = true;
    server.say('b', 'two', 1, true);
    server.say('b', 'three');
    server.say('b', 'four');
    expect(bodies(client)).toEqual(['one']);
    expect(server.count(Kind.FOLLOW)).toBe(1);
    server.isMute = false;
    await clock.pass(6_000);
    expect(bodies(client)).toEqual(['one', 'two', 'three', 'four']);
  });

  it('begins a new window when too much was missed, and pages back', async () => {
    const client = await online();
    server.say('b', '0');
    server.hangUp(1006);
    server.replay = 3;
    for (let index = 1; index < 10; index++) server.say('b', `${index}`, 1, true);
    await clock.pass(60_000);
    expect(bodies(client)).toEqual(['7', '8', '9']);
    client.history(1, 4);
    client.history(1, 4);
    await clock.pass(10);
    expect(server.count(Kind.HISTORY)).toBe(1);
    expect(bodies(client)).toEqual(['3', '4', '5', '6', '7', '8', '9']);
  });

  it('shows a draft until its answer replaces it', async () => {
    const client = await online();
    const delta = { kind: Kind.DELTA, conversation: 1, draft: 4 } as const;
    server.push({ ...delta, offset: 0, text: '有🐦' });
    server.push({ ...delta, offset: 2, text: '的' });
    server.push({ ...delta, offset: 9, text: 'lost before it' });
    expect([...client.view(1).drafts]).toEqual([[4, '有🐦的']]);
    server.say('b', { text: '有🐦的。', draft: 4 }, 3);
    expect(client.view(1).drafts.size).toBe(0);
    server.push({ ...delta, draft: 5, offset: 0, text: 'no' });
    server.push({ ...delta, draft: 5, offset: 0, text: '' });
    expect(client.view(1).drafts.size).toBe(0);
  });

  it('reconnects when the server has sent more entries than arrived', async () => {
    await online();
    server.push({ kind: Kind.PONG, number: 1, entries: 1 });
    await clock.pass(1_000);
    expect(server.connections).toBe(2);
  });
});

describe('sending', () => {
  it('numbers from 1, and an ack becomes an entry', async () => {
    const client = await online();
    client.send(1, 1, 'a');
    expect(client.view(1).pending).toMatchObject([{ body: 'a', state: 'waiting' }]);
    await clock.pass(10);
    expect(server.sends).toEqual([[1, 'a']]);
    expect(client.view(1).pending).toEqual([]);
    expect(client.view(1).entries).toMatchObject([{ seq: 1, sender: 'v', body: 'a' }]);
  });

  it('keeps what is said offline and sends it once when back', async () => {
    const client = await online();
    server.hangUp(1006);
    client.send(1, 1, 'a');
    client.send(1, 1, 'b');
    await clock.pass(60_000);
    expect(logged()).toEqual(['a', 'b']);
    expect(bodies(client)).toEqual(['a', 'b']);
  });

  it('repeats the same number when the ack was lost, and shows it once', async () => {
    const client = await online();
    server.intercept = (frame) => {
      server.stored.set('d1', frame.n);
      server.say('v', frame.body, 1, true);
      server.hangUp(1006);
      return true;
    };
    client.send(1, 1, 'a');
    await clock.pass(10);
    server.intercept = () => false;
    client.send(1, 1, 'b');
    await clock.pass(60_000);
    expect(logged()).toEqual(['a', 'b']);
    expect(bodies(client)).toEqual(['a', 'b']);
    expect(client.view(1).pending).toEqual([]);
  });

  it('waits when busy, and what follows waits too', async () => {
    const client = await online();
    let refusals = 0;
    server.intercept = (frame) => {
      if (frame.n !== 1 || refusals > 0) return false;
      refusals += 1;
      server.push({ kind: Kind.BUSY, conversation: 1, n: 1, retry_after_ms: 500 });
      return true;
    };
    for (const body of ['a', 'b', 'c']) client.send(1, 1, body);
    await clock.pass(400);
    expect(logged()).toEqual([]);
    await clock.pass(5_000);
    expect(logged()).toEqual(['a', 'b', 'c']);
    expect(bodies(client)).toEqual(['a', 'b', 'c']);
  });

  it('gives the number of a refused message to the next one', async () => {
    const client = await online();
    server.intercept = (frame) => {
      if (frame.body !== 'bad') return false;
      server.refuse(frame, 112, false);
      return true;
    };
    for (const body of ['a', 'bad', 'b', 'c']) client.send(1, 1, body);
    await clock.pass(10_000);
    expect(logged()).toEqual(['a', 'b', 'c']);
    expect(server.stored.get('d1')).toBe(3);
    const [failed] = client.view(1).pending;
    expect(failed).toMatchObject({ body: 'bad', state: 'failed', error: { code: 112 } });
    server.intercept = () => false;
    client.retry(1, failed?.key ?? '');
    await clock.pass(10);
    expect(logged()).toEqual(['a', 'b', 'c', 'bad']);
    expect(client.view(1).pending).toEqual([]);
  });

  it('takes the number the server wants after a hole', async () => {
    store = memoryOutbox('d1');
    await store.drop([], 1, 7);
    const client = await online();
    client.send(1, 1, 'a');
    await clock.pass(10_000);
    expect(logged()).toEqual(['a']);
    expect(server.sends.at(-1)).toEqual([1, 'a']);
  });

  it('says the same again after a temporary error', async () => {
    const client = await online();
    let tries = 0;
    server.intercept = (frame) => {
      tries += 1;
      if (tries === 1) server.refuse(frame, 101, true);
      return tries === 1;
    };
    client.send(1, 1, 'a');
    await clock.pass(5_000);
    expect(server.sends).toEqual([
      [1, 'a'],
      [1, 'a'],
    ]);
    expect(logged()).toEqual(['a']);
  });

  it('has no more under way than its credit', async () => {
    const client = await online();
    server.intercept = () => true;
    for (let index = 0; index < 9; index++) client.send(1, 1, `${index}`);
    await clock.pass(10);
    expect(server.sends.length).toBe(4);
    server.intercept = () => false;
    for (let n = 1; n <= 4; n++)
      server.store({ kind: Kind.SEND, conversation: 1, n, type: 1, body: `${n - 1}` });
    await clock.pass(10);
    expect(logged().length).toBe(9);
    expect(bodies(client)).toEqual(logged());
  });

  it('fetches what a cumulative ack did not name', async () => {
    const client = await online();
    server.intercept = () => true;
    client.send(1, 1, 'a');
    client.send(1, 1, 'b');
    await clock.pass(10);
    server.say('v', 'a', 1, true);
    server.say('v', 'b', 1, true);
    server.stored.set('d1', 2);
    server.ack(2, 2);
    await clock.pass(10);
    expect(bodies(client)).toEqual(['a', 'b']);
    expect(client.view(1).pending).toEqual([]);
  });

  it('shows an action as the status it became', async () => {
    const client = await online();
    client.action(1, 'handoff');
    await clock.pass(1_000);
    expect(client.view(1).entries).toMatchObject([{ type: 4, body: { to: 'waiting' } }]);
    expect(client.view(1).pending).toEqual([]);
  });

  it('is persisted before it is sent', async () => {
    let keep = (): void => undefined;
    const slow: OutboxStore = {
      ...memoryOutbox('d1'),
      put: () =>
        new Promise((resolve) => {
          keep = resolve;
        }),
    };
    store = slow;
    const client = await online();
    client.send(1, 1, 'a');
    await clock.pass(100);
    expect(server.sends).toEqual([]);
    keep();
    await clock.pass(100);
    expect(server.sends).toEqual([[1, 'a']]);
  });
});

describe('the connection', () => {
  it.each([3500, 3501, 3507])('stops on %i and says so', async (code) => {
    const client = await online();
    server.push({ kind: Kind.BYE, code, text: 'why', retry_after_ms: 0 });
    server.hangUp(1000);
    await clock.pass(600_000);
    expect(client.status).toEqual({ phase: 'stopped', code, text: 'why' });
    expect(server.connections).toBe(1);
  });

  it.each([3000, 3008, 1006])('comes back after %i', async (code) => {
    await online();
    server.hangUp(code);
    await clock.pass(60_000);
    expect(server.connections).toBe(2);
  });

  it('does not come back before it was asked to', async () => {
    const client = await online();
    server.push({ kind: Kind.BYE, code: 3000, text: '', retry_after_ms: 20_000 });
    server.hangUp(3000);
    await clock.pass(19_000);
    client.wake();
    await clock.pass(900);
    expect(server.connections).toBe(1);
    await clock.pass(2_000);
    expect(server.connections).toBe(2);
  });

  it('waits longer each time the server is away', async () => {
    await online();
    server.hangUp(1006);
    server.isMute = true;
    await clock.pass(300_000);
    expect(server.connections).toBeGreaterThan(5);
    expect(server.connections).toBeLessThan(20);
  });

  it('notices a line that went dead without a word', async () => {
    await online();
    server.isMute = true;
    await clock.pass(36_500);
    expect(server.count(Kind.PING)).toBe(1);
    await clock.pass(9_000);
    expect(server.connections).toBe(1);
    await clock.pass(3_000);
    expect(server.connections).toBe(2);
  });

  it('answers a ping', async () => {
    await online();
    server.push({ kind: Kind.PING, number: 12 });
    expect(server.received.at(-1)).toMatchObject({ kind: Kind.PONG, number: 12 });
  });

  it('survives a token that takes a while, and stops when it is refused', async () => {
    let tries = 0;
    const client = await online(async () => {
      tries += 1;
      if (tries === 1) throw new TypeError('network');
      throw new RefusedError(3507, 'signed out');
    });
    await clock.pass(60_000);
    expect(client.status).toEqual({ phase: 'stopped', code: 3507, text: 'signed out' });
    expect(tries).toBe(2);
  });

  it('sends nothing more once closed', async () => {
    const client = await online();
    client.close();
    client.send(1, 1, 'a');
    await clock.pass(600_000);
    expect(server.sends).toEqual([]);
    expect(server.connections).toBe(1);
  });
});

describe('reading marks and typing', () => {
  it('says how far it read once, and again after a reconnect', async () => {
    const client = await online();
    server.say('b', 'one');
    client.read(1, lastSeq(client.view(1)));
    client.read(1, 1);
    server.hangUp(1006);
    await clock.pass(60_000);
    expect(server.count(Kind.READ)).toBe(2);
  });

  it('forgets that somebody types when they stop saying so', async () => {
    const client = await online();
    server.push({ kind: Kind.TYPING, conversation: 1, on: true, preview: '', sender: 'a7' });
    expect(client.view(1).typing?.sender).toBe('a7');
    await clock.pass(6_500);
    expect(client.view(1).typing).toBeNull();
  });

  it('says that it types every few seconds, not at every key', async () => {
    const client = await online();
    for (let key = 0; key < 30; key++) {
      client.typing(1, true);
      await clock.pass(100);
    }
    client.typing(1, false);
    expect(server.count(Kind.TYPING)).toBe(2);
  });
});
