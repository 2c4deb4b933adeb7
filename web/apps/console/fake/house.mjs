/**
 * A stand-in for the server, in memory: enough of the two contracts to drive every screen of the console. Owns state
 * and answers; knows nothing of browsers. Its one rule: it answers as docs/reference says, or it is useless.
 */
import { answerBots, createBots } from './bots.mjs';
import { KNOWLEDGE } from './knowledge.mjs';
import { AGENTS, conversations, visitorOf } from './people.mjs';

const MINUTE = 60_000;
const SPOKEN = new Set([1, 2, 3]);

const fault = (status, code, extra = {}) => ({
  status,
  json: { error: { code, text: `fake: ${code}`, temporary: status >= 500, ...extra } },
});

/** `options`: user (a key of AGENTS or null), locale, empty, crowd (further conversations), mustChange. */
export function createHouse(options = {}) {
  const now = Date.now();
  const person = AGENTS[options.user ?? 'zhou'];
  const me = { id: person.id, name: person.name };
  const user = {
    ...person,
    locale: options.locale ?? 'zh-CN',
    accepting: true,
    must_change_password: options.mustChange === true,
  };
  const house = {
    user: options.user === null ? null : user,
    talks: new Map(),
    tries: 0,
    followers: new Set(),
    bots: createBots(),
  };

  const add = (talk) => {
    const entries = talk.entries.map(([ago, sender, type, body], index) => ({
      seq: index + 1,
      time: Math.round(now - ago * MINUTE),
      sender,
      type,
      body,
    }));
    const { unread, ...state } = talk.state;
    const last = entries.length;
    house.talks.set(talk.id, {
      id: talk.id,
      visitor: talk.visitor,
      entries,
      state: { session: 1, read: { v: Math.max(0, last - 5), a: last - (unread ?? 0) }, ...state },
      n: new Map(),
    });
  };
  if (options.empty !== true) for (const talk of conversations(me, now)) add(talk);
  for (let i = 0; i < (options.crowd ?? 0); i += 1) {
    const id = 2000 + i;
    add({
      id,
      visitor: visitorOf(`c${i.toString(16)}f`, '', id, now),
      state: {
        status: i % 3 === 0 ? 'closed' : 'bot',
        assignee: null,
        why: null,
        online: i % 2 === 0,
        unread: 0,
      },
      entries: [[30 + i, 'v', 1, `第 ${i + 1} 位访客的问题`]],
    });
  }
  if (options.long !== undefined) {
    const talk = house.talks.get(1041);
    const older = Array.from({ length: options.long }, (_, i) => ({
      seq: i + 1,
      time: now - (options.long - i + 70) * 10 * MINUTE,
      sender: i % 2 === 0 ? 'v' : 'b',
      type: i % 2 === 0 ? 1 : 3,
      body:
        i % 2 === 0
          ? `较早的问题 ${i + 1}`
          : { text: `较早的回答 ${i + 1}`, bot: '本地助手', confidence: 0.9 },
    }));
    talk.entries = [
      ...older,
      ...talk.entries.map((entry) => ({ ...entry, seq: entry.seq + options.long })),
    ];
    talk.state = {
      ...talk.state,
      read: { v: talk.entries.length - 5, a: talk.entries.length - 2 },
    };
  }
  return house;
}

/** A conversation as a row of the list and as the fields of a `state`. */
export function rowOf(talk) {
  const said = talk.entries.findLast((entry) => SPOKEN.has(entry.type)) ?? talk.entries.at(-1);
  const changed = talk.entries.findLast((entry) => entry.type === 4) ?? talk.entries[0];
  const text = typeof said.body === 'string' ? said.body : (said.body?.text ?? '[文件]');
  return {
    id: talk.id,
    status: talk.state.status,
    assignee: talk.state.assignee && { id: talk.state.assignee.id, name: talk.state.assignee.name },
    last: talk.entries.length,
    session: talk.state.session,
    time: said.time,
    since: changed.time,
    preview: text.slice(0, 80),
    sender: said.sender,
    why: talk.state.why,
    read: talk.state.read,
    visitor: { id: talk.visitor.id, name: talk.visitor.name },
    online: talk.state.online,
    team: talk.state.team ?? null,
  };
}

const listed = (house, view) =>
  [...house.talks.values()]
    .map(rowOf)
    .filter((row) => {
      if (view === 'waiting') return row.status === 'waiting';
      if (view === 'mine') return row.status === 'open' && row.assignee?.id === house.user.id;
      return true;
    })
    .sort((a, b) => (view === 'waiting' ? a.since - b.since : b.time - a.time));

function list(house, query) {
  const view = query.get('view') ?? 'all';
  const q = query.get('q') ?? '';
  const before = Number(query.get('before') ?? 0);
  const limit = Number(query.get('limit') ?? 50);
  const rows = listed(house, view)
    .filter((row) => q === '' || `${row.visitor.name}${row.preview}`.includes(q))
    .filter((row) => before === 0 || (view === 'waiting' ? row.since > before : row.time < before));
  const counts = Object.fromEntries(
    ['mine', 'waiting', 'all'].map((one) => [one, listed(house, one).length]),
  );
  return {
    status: 200,
    json: { conversations: rows.slice(0, limit), counts, more: rows.length > limit },
  };
}

function signIn(house, body) {
  house.tries += 1;
  if (house.tries > 3)
    return { ...fault(429, 'too_many_tries'), headers: { 'Retry-After': '102' } };
  if (body.password !== 'open sesame 9') return fault(401, 'wrong_password', { field: 'password' });
  house.user = { ...AGENTS.zhou, locale: 'zh-CN', accepting: true, must_change_password: false };
  return { status: 200, json: { user: house.user } };
}

function knowledge(query) {
  const q = query.get('q') ?? '';
  const entries = KNOWLEDGE.filter((entry) =>
    `${entry.question}${entry.answer}${entry.category}`.includes(q),
  );
  return { status: 200, json: { entries, total: entries.length } };
}

const TEAMS = [
  { id: 1001, name: '售后组', description: '退货、换货、退款、质量问题、保修', members: [3, 4] },
  { id: 1002, name: '物流组', description: '快递到哪了、运费、改地址、海外配送', members: [4] },
  { id: 1003, name: '售前组', description: '', members: [] },
];

function team(house, method, id, body) {
  const held = house.teams ?? TEAMS;
  house.teams =
    method === 'DELETE'
      ? held.filter((one) => one.id !== id)
      : held.map((one) => (one.id === id ? { ...one, ...body } : one));
  if (method === 'DELETE') return { status: 204 };
  return { status: 200, json: house.teams.find((one) => one.id === id) };
}

function users(house) {
  const all = Object.values(AGENTS).map((agent, index) => ({
    ...agent,
    locale: 'zh-CN',
    accepting: index !== 2,
    must_change_password: false,
    online: index !== 0,
  }));
  return house.user.role === 'admin'
    ? { status: 200, json: { users: all } }
    : fault(403, 'forbidden');
}

/** Answers one request: `{status, json?, headers?}`. */
export function answer(house, method, path, query, body) {
  const call = `${method} ${path}`;
  if (call === 'POST /session') return signIn(house, body);
  if (house.user === null) return fault(401, 'signed_out');
  const ofBots = answerBots(house.bots, method, path, body);
  if (ofBots !== undefined) return ofBots;
  const visitor = /^\/visitors\/(.+)$/.exec(path);
  const talk = house.talks.get(Number(/^\/conversations\/(\d+)$/.exec(path)?.[1]));
  switch (call) {
    case 'GET /session':
      return { status: 200, json: { user: house.user } };
    case 'DELETE /session':
      house.user = null;
      return { status: 204 };
    case 'POST /session/password':
      if (body.current !== 'one time word')
        return fault(401, 'wrong_password', { field: 'current' });
      house.user = { ...house.user, must_change_password: false };
      return { status: 200, json: { user: house.user } };
    case 'PATCH /session/user':
      house.user = { ...house.user, ...body };
      return { status: 200, json: { user: house.user } };
    case 'POST /session/ticket':
      return { status: 200, json: { ticket: 'fake', expires: Date.now() + MINUTE } };
    case 'GET /conversations':
      return list(house, query);
    case 'GET /users':
      return users(house);
    case 'POST /users':
      if (body.login === 'admin') return fault(409, 'login_taken', { field: 'login' });
      return {
        status: 200,
        json: { user: { ...house.user, ...body, id: 9 }, password: 'quiet-heron-4417-maple' },
      };
    case 'GET /teams':
      return { status: 200, json: { teams: house.teams ?? TEAMS } };
    case 'POST /teams':
      if (TEAMS.some((team) => team.name === body.name))
        return fault(409, 'team_taken', { field: 'name' });
      house.teams = [...(house.teams ?? TEAMS), { id: 1009, ...body }];
      return { status: 201, json: { id: 1009, ...body } };
    case 'GET /knowledge':
      return knowledge(query);
    case 'POST /knowledge/import':
      return {
        status: 200,
        json: {
          imported: 46,
          problems: [
            { line: 12, text: '缺少 answer' },
            { line: 31, text: '与第 8 行重复' },
          ],
        },
      };
    case 'POST /files':
      return {
        status: 200,
        json: {
          file: {
            id: 'f_up',
            name: '取件说明.png',
            size: 42_000,
            mime: 'image/png',
            w: 640,
            h: 400,
          },
        },
      };
  }
  if (talk !== undefined)
    return { status: 200, json: { conversation: rowOf(talk), visitor: talk.visitor } };
  const teamId = Number(/^\/teams\/(\d+)$/.exec(path)?.[1]);
  if (teamId > 0) return team(house, method, teamId, body);
  if (visitor !== null && method === 'PATCH') {
    const found = [...house.talks.values()].find((one) => one.visitor.id === visitor[1]);
    found.visitor = { ...found.visitor, ...body };
    return { status: 200, json: { visitor: found.visitor } };
  }
  return fault(404, 'not_found');
}
