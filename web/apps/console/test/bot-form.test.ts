import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Bot, BotVersion } from '../src/api/bots.ts';
import {
  type BotForm,
  changeOf,
  emptyForm,
  faultField,
  faultsOf,
  formOf,
  freeId,
  isChanged,
  isShown,
  keyOf,
  oddityOf,
  originOf,
  specsOf,
} from '../src/bots/form.ts';
import { PLATFORMS, POLICY, platformOf } from '../src/bots/platforms.ts';

/** Written so because an object with a `then` would look like a promise. */
const THEN = 'then';
const version = (more: Partial<BotVersion> = {}): BotVersion => ({
  version: 1,
  kind: 'dify',
  name: '售前',
  status: 'published',
  settings: { base_url: 'https://api.dify.ai/v1', app: 'chat' },
  policy: {},
  note: '',
  updated: 1,
  ...more,
});

const bot = (newest: BotVersion, secrets: readonly string[] = ['key']): Bot => ({
  id: 'shop',
  versions: [newest],
  secrets,
  missing: [],
  failure: null,
  uses: [],
  figures: {
    answers: 0,
    failures: 0,
    first_p50_ms: 0,
    first_p95_ms: 0,
    took_ms: 0,
    tokens: 0,
    cost: {},
  },
});

const filled = (more: Partial<BotForm> = {}): BotForm => ({
  ...emptyForm('dify', []),
  name: '售前',
  secrets: { key: { mode: 'entered', text: 'app-x' } },
  ...more,
});

const spec = (kind: string, name: string, secret = false) => {
  const found = specsOf(kind).find((one) => one.name === name && (one.secret ?? false) === secret);
  if (found === undefined) throw new Error(`${kind} has no ${name}`);
  return found;
};

test('a new bot has an id that nobody has, and the house stands in for it', () => {
  expect(emptyForm('dify', ['dify', 'dify-2']).id).toBe('dify-3');
  expect(emptyForm('remote', []).id).toBe('bot');
  expect(freeId('coze', ['openai'])).toBe('coze');
  expect(changeOf(filled(), undefined).policy).toEqual({ [THEN]: ['local'] });
});

test('what is missing is said at its field, for every platform', () => {
  for (const { name } of PLATFORMS) {
    const faults = faultsOf(emptyForm(name, []), [], []);
    expect(faults.name).toBe('need_name');
    for (const one of specsOf(name)) {
      const isMissing = one.required === true && isShown(one, emptyForm(name, []));
      expect([name, one.name, faults[keyOf(one)] !== undefined]).toEqual([
        name,
        one.name,
        isMissing,
      ]);
    }
  }
});

test.each([
  [{ name: ' ' }, 'name', 'need_name'],
  [{ id: '' }, 'id', 'need_id'],
  [{ id: 'Shop' }, 'id', 'bad_id'],
  [{ id: 'local' }, 'id', 'bad_id'],
  [{ id: 'taken' }, 'id', 'taken_id'],
  [{ values: { base_url: 'api.dify.ai' } }, 'base_url', 'bad_url'],
  [{ values: { base_url: 'https://me:pass@dify.example' } }, 'base_url', 'bad_url'],
  [{ values: { connect_s: 'soon' } }, 'connect_s', 'bad_number'],
  [{ values: { connect_s: '-1' } }, 'connect_s', 'bad_number'],
  [{ secrets: {} }, 'secret.key', 'need_secret'],
  [{ secrets: { key: { mode: 'entered', text: 'app-a b' } } }, 'secret.key', 'line_break'],
  [{ policy: { tries: '1.5' } }, 'policy.tries', 'bad_whole'],
  [{ policy: { idle_s: 'x' } }, 'policy.idle_s', 'bad_number'],
] as const)('%j is refused at %s', (more, field, fault) => {
  const faults = faultsOf(filled(more as Partial<BotForm>), [], ['taken']);
  expect(faults).toEqual({ [field]: fault });
});

test('a form that is whole has no faults', () => {
  expect(faultsOf(filled(), [], [])).toEqual({});
  expect(faultsOf(filled({ secrets: {} }), ['key'], [])).toEqual({});
});

test('a secret that is removed is missing, one that stays is not sent', () => {
  const removed = filled({ secrets: { key: { mode: 'removed' } } });
  expect(faultsOf(removed, ['key'], [])).toEqual({ 'secret.key': 'need_secret' });
  expect(changeOf(removed, version()).secrets).toEqual({ key: '' });
  expect(changeOf(filled({ secrets: { key: { mode: 'kept' } } }), version()).secrets).toEqual({});
  expect(changeOf(filled(), version()).secrets).toEqual({ key: 'app-x' });
});

test('coze proves itself in one of two ways, and what the other needs is not asked for', () => {
  const token = { ...emptyForm('coze', []), name: 'c', values: { bot: '7' } };
  expect(Object.keys(faultsOf(token, [], []))).toEqual(['secret.token']);
  const app: BotForm = { ...token, values: { bot: '7', proof: 'app' } };
  expect(Object.keys(faultsOf(app, [], [])).sort()).toEqual([
    'app',
    'key_id',
    'secret.private_key',
  ]);
  const pem = '-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----';
  const whole: BotForm = {
    ...app,
    values: { ...app.values, app: '1', key_id: 'k' },
    secrets: { private_key: { mode: 'entered', text: pem } },
  };
  expect(faultsOf(whole, [], [])).toEqual({});
  expect(changeOf(whole, undefined).settings).toEqual({ bot: '7', app: '1', key_id: 'k' });
  // The token that the published version may rest on is left alone.
  expect(changeOf(whole, version({ kind: 'coze' })).secrets).toEqual({ private_key: pem });
  const stored = version({ kind: 'coze', settings: { bot: '7', app: '1', key_id: 'k' } });
  expect(formOf(bot(stored), stored).values.proof).toBe('app');
  const back = { ...whole, values: { ...whole.values, proof: 'token' } };
  expect(changeOf(back, stored).settings).toEqual({ bot: '7' });
});

test('settings become what the server wants: numbers, switches, objects', () => {
  const form: BotForm = {
    ...emptyForm('openai', []),
    name: 'm',
    spares: [],
    values: {
      model: ' qwen-plus ',
      base_url: 'https://x.example/v1/',
      temperature: '0.3',
      history: '6',
      may_call_person: 'true',
      extra: '{"top_p": 0.8}',
    },
    policy: { idle_s: '60', tries: '4' },
  };
  expect(changeOf(form, undefined)).toMatchObject({
    settings: {
      model: 'qwen-plus',
      base_url: 'https://x.example/v1',
      temperature: 0.3,
      history: 6,
      may_call_person: true,
      extra: { top_p: 0.8 },
    },
    policy: { tries: 4 },
  });
  const wrong = { ...form, values: { ...form.values, extra: '[1]', history: '2.5' } };
  expect(faultsOf(wrong, [], [])).toEqual({ extra: 'bad_json', history: 'bad_whole' });
});

test('what this page does not know is kept', () => {
  const stored = version({
    settings: { base_url: 'https://d.example/v1', novelty: [1, 2] },
    policy: { novelty: 3, [THEN]: ['a', 'local'], tries: 5 },
  });
  const form = formOf(bot(stored), stored);
  expect(form.spares).toEqual(['a', 'local']);
  const sent = changeOf({ ...form, policy: { ...form.policy, tries: '' } }, stored);
  expect(sent.settings).toEqual(stored.settings);
  expect(sent.policy).toEqual({ novelty: 3, [THEN]: ['a', 'local'] });
});

test('opening and saving changes nothing', () => {
  const text = fc.stringMatching(/^[a-z]{1,9}$/);
  const number = fc.integer({ min: 1, max: 900 });
  const stored = fc.constantFrom(...PLATFORMS).chain(({ name, fields }) => {
    const settings: Record<string, fc.Arbitrary<unknown>> = {};
    for (const one of fields) {
      if (one.secret === true || one.name === 'proof' || one.when !== undefined) continue;
      if (one.kind === 'number') settings[one.name] = number;
      else if (one.kind === 'switch') settings[one.name] = fc.boolean();
      else if (one.kind === 'choice') settings[one.name] = fc.constantFrom(...(one.choices ?? []));
      else if (one.kind === 'json') settings[one.name] = fc.dictionary(text, number);
      else if (one.kind === 'url')
        settings[one.name] = text.map((host) => `https://${host}.example`);
      else settings[one.name] = text;
    }
    const policy = fc.record(
      Object.fromEntries(POLICY.map((one) => [one.name, number.map((n) => n + one.standard)])),
      { requiredKeys: [] },
    );
    return fc.record({
      kind: fc.constant(name),
      settings: fc.record(settings, { requiredKeys: [] }),
      policy,
    });
  });
  fc.assert(
    fc.property(stored, (given) => {
      const base = version(given);
      const owner = bot(base);
      const form = formOf(owner, base);
      expect(isChanged(form, owner, base)).toBe(false);
      const sent = changeOf(form, base);
      expect([sent.settings, sent.policy, sent.secrets]).toEqual([
        given.settings,
        given.policy,
        {},
      ]);
    }),
  );
});

test('a change of any kind is one', () => {
  const base = version();
  const owner = bot(base);
  const form = formOf(owner, base);
  for (const more of [
    { name: 'other' },
    { note: 'why' },
    { values: { ...form.values, app: 'workflow' } },
    { policy: { tries: '7' } },
    { spares: ['local'] },
    { secrets: { key: { mode: 'entered', text: 'app-y' } } },
    { secrets: { key: { mode: 'removed' } } },
  ] as Partial<BotForm>[]) {
    expect([more, isChanged({ ...form, ...more }, owner, base)]).toEqual([more, true]);
  }
  const begun: BotForm = { ...form, secrets: { key: { mode: 'entered', text: ' ' } } };
  expect(isChanged(begun, owner, base)).toBe(false);
});

test.each([
  ['https://api.dify.ai/v1', 'https://api.dify.ai:443'],
  ['https://API.dify.ai:443/other', 'https://api.dify.ai:443'],
  ['http://10.0.0.1:8080', 'http://10.0.0.1:8080'],
  ['', 'https://api.dify.ai:443'],
  ['nonsense', ''],
])('%s is the platform %s', (base_url, origin) => {
  expect(originOf(filled({ values: { base_url } }))).toBe(origin);
});

test('slips are pointed out and let through', () => {
  const odd = (kind: BotForm['kind'], base_url: string) =>
    oddityOf(spec(kind, 'base_url'), { ...emptyForm(kind, []), values: { base_url } });
  expect(odd('dify', 'https://dify.example')).toBe('dify_url');
  expect(odd('dify', 'https://dify.example/v1/')).toBeUndefined();
  expect(odd('fastgpt', 'https://f.example')).toBe('fastgpt_url');
  expect(odd('coze', 'https://api.coze.cn/v3')).toBe('coze_url');
  expect(odd('openai', 'https://o.example/v1/chat/completions')).toBe('openai_url');
  expect(odd('openai', 'http://o.example/v1')).toBe('plain_http');
  expect(odd('openai', 'http://127.0.0.1:8000/v1')).toBeUndefined();
  const key = spec('dify', 'key', true);
  const withKey = (text: string) => filled({ secrets: { key: { mode: 'entered', text } } });
  expect(oddityOf(key, withKey('sk-1'))).toBe('prefix');
  expect(oddityOf(key, withKey('app-1'))).toBeUndefined();
  expect(oddityOf(key, withKey(''))).toBeUndefined();
});

test("the server's refusal is shown where it belongs", () => {
  expect(faultField('id', 'An id is of …')).toBe('id');
  expect(faultField('settings', 'base_url: Expected `str`.')).toBe('base_url');
  expect(faultField('policy', 'tries: too few')).toBe('policy.tries');
  expect(faultField('settings', 'This is not an address: it cannot be read.')).toBe('form');
  expect(faultField(undefined, 'x')).toBe('form');
  expect(platformOf('eliza')).toBeUndefined();
});
