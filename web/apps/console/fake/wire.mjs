/** The fake house's side of the socket. Owns one connection; the frames are those of docs/reference/protocol.md. */
import { packed } from '@qingniao/protocol/codec';
import { Kind } from '@qingniao/protocol/frames';
import { rowOf } from './house.mjs';

const LIMITS = {
  frame_bytes: 65_536,
  body_chars: 4_000,
  credit: 32,
  rate: 20,
  follows: 64,
  beat_ms: 30_000,
  hello_ms: 10_000,
  replay: 60,
  file_bytes: 10_485_760,
};

/** Serves one agent. `transmit` takes bytes; answers `{receive, push}`. */
export function serve(house, transmit) {
  let device = '';
  const start = Date.now();
  const followed = new Set();
  const push = (frame) => transmit(Buffer.from(packed.encode(frame)));
  const own = () => `a${house.user.id}`;

  const replay = (id, after) => {
    const talk = house.talks.get(id);
    if (id === 0) return push({ kind: Kind.STATE, conversation: 0, fields: {} });
    if (talk === undefined) {
      return push({
        kind: Kind.ERROR,
        conversation: id,
        n: 0,
        code: 111,
        text: '',
        temporary: false,
        expected: 0,
      });
    }
    followed.add(id);
    const from = Math.max(after + 1, talk.entries.length - LIMITS.replay + 1);
    push({
      kind: Kind.STATE,
      conversation: id,
      fields: { ...rowOf(talk), from, n: talk.n.get(device) ?? 0 },
    });
    for (const entry of talk.entries.slice(from - 1))
      push({ kind: Kind.ENTRY, conversation: id, ...entry });
  };

  const announce = (talk) => {
    const { id, ...fields } = rowOf(talk);
    push({ kind: Kind.STATE, conversation: id, fields });
  };

  /** Appends and tells: the sender is acked, everyone else gets the entry. */
  const append = (id, sender, type, body, n = 0) => {
    const talk = house.talks.get(id);
    const entry = { seq: talk.entries.length + 1, time: Date.now(), sender, type, body };
    talk.entries.push(entry);
    if (n > 0) {
      talk.n.set(device, n);
      push({ kind: Kind.ACK, conversation: id, n, seq: entry.seq, at: entry.time - start });
    }
    if (followed.has(id) && (n === 0 || type === 4))
      push({ kind: Kind.ENTRY, conversation: id, ...entry });
    announce(talk);
  };

  const act = (id, what, n) => {
    const talk = house.talks.get(id);
    const to = { take: 'open', return: 'bot', close: 'closed' }[what];
    const from = talk.state.status;
    const me = { id: house.user.id, name: house.user.name };
    talk.state = { ...talk.state, status: to, assignee: to === 'open' ? me : null };
    append(id, 's', 4, { from, to, why: '', by: own(), agent: me, session: 1 }, n);
  };

  const onSend = ({ conversation, n, type, body }) => {
    if (type === 9) return act(conversation, body.do, n);
    if (body === '拒收') {
      return push({
        kind: Kind.ERROR,
        conversation,
        n,
        code: 112,
        text: '',
        temporary: false,
        expected: 0,
      });
    }
    if (body === '慢') return;
    append(conversation, own(), type, body, n);
  };

  const receive = (message) => {
    const frame = packed.decode(message);
    switch (frame?.kind) {
      case Kind.HELLO:
        device = frame.device;
        push({ kind: Kind.WELCOME, session: 's', time: start, limits: LIMITS, conversations: [] });
        for (const [id, after] of frame.cursors) replay(id, after);
        return;
      case Kind.FOLLOW:
        return replay(frame.conversation, frame.after);
      case Kind.UNFOLLOW:
        return followed.delete(frame.conversation);
      case Kind.PING:
        return push({ kind: Kind.PONG, number: frame.number, entries: 0 });
      case Kind.HISTORY: {
        const talk = house.talks.get(frame.conversation);
        const older = talk.entries.slice(
          Math.max(0, frame.before - 1 - frame.limit),
          frame.before - 1,
        );
        const entries = older.map((entry) => ({
          kind: Kind.ENTRY,
          conversation: talk.id,
          ...entry,
        }));
        return push({
          kind: Kind.PAGE,
          conversation: talk.id,
          entries,
          more: (older[0]?.seq ?? 1) > 1,
        });
      }
      case Kind.READ: {
        const talk = house.talks.get(frame.conversation);
        talk.state = { ...talk.state, read: { ...talk.state.read, a: frame.seq } };
        return announce(talk);
      }
      case Kind.SEND:
        return onSend(frame);
    }
  };

  return {
    receive,
    push,
    /** A visitor (or the bot) says something. */
    say: (id, body, { sender = 'v', type = 1 } = {}) => append(id, sender, type, body),
    /** A conversation's state changes. */
    become: (id, change) => {
      const talk = house.talks.get(id);
      talk.state = { ...talk.state, ...change };
      announce(talk);
    },
  };
}
