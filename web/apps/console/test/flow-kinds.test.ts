import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { FlowKinds, Graph, Problem } from '../src/api/flows.ts';
import { newSettings } from '../src/flows/defaults.ts';
import { kindsOf, openWay, shownWays, waysOf } from '../src/flows/ports.ts';
import { countByNode, fieldOf, portOf, tell } from '../src/flows/problems.ts';
import { type Field, newItem, settingOf, withValue } from '../src/flows/schema.ts';
import { sorted } from '../src/flows/shown.ts';
import zh from '../src/flows/words/problems.zh-CN.json';
import {
  fieldName,
  kindAbout,
  kindName,
  loadWords,
  noteOf,
  portName,
  wayName,
} from '../src/flows/words.ts';
import told from './data/flow-kinds.json';
import { speak } from './words.ts';

// What the server says there is; a Python test keeps it current.
const KINDS = kindsOf((told as unknown as FlowKinds).kinds);
const kindOf = (name: string) => {
  const kind = KINDS.get(name);
  if (kind === undefined) throw new Error(`no kind ${name}`);
  return kind;
};
const fieldIn = (kind: string, name: string): Field => {
  const field = kindOf(kind).fields.find((one) => one.name === name);
  if (field === undefined) throw new Error(`no field ${name}`);
  return field;
};
const names = (kind: string, settings = {}) =>
  waysOf(kindOf(kind), settings).map(({ name }) => name);

beforeAll(async () => {
  await speak('zh-CN');
  loadWords();
});

const every = (fields: readonly Field[]): readonly Field[] =>
  fields.flatMap((field) => [field, ...every(field.fields)]);

test('every kind, setting and way out has a chinese name, and no setting lacks its control', () => {
  for (const kind of KINDS.values()) {
    expect(kindName(kind.kind)).toMatch(/[\u4e00-\u9fff]/);
    expect(kindAbout(kind.kind, '')).not.toBe('');
    for (const field of every(kind.fields)) {
      if (field.name === 'port') continue;
      expect([kind.kind, field.name, fieldName(kind.kind, field.name)]).not.toContain(undefined);
      expect([field.name, fieldName(kind.kind, field.name)]).not.toEqual([field.name, field.name]);
      expect([field.name, field.control]).not.toEqual([field.name, 'raw']);
    }
    for (const { name } of kind.ports.filter((port) => !['one', 'two'].includes(port.name)))
      expect([name, portName(kind.kind, name)]).not.toEqual([name, name]);
  }
});

test.each([
  ['say', 'text', 'texts'],
  ['say', 'options', 'options'],
  ['http', 'headers', 'map'],
  ['http', 'method', 'choice'],
  ['set', 'add', 'numbers'],
  ['ask', 'least', 'number'],
  ['ask', 'timeout_s', 'seconds'],
  ['ask', 'declines', 'words'],
  ['rating', 'labels', 'labels'],
  ['intent', 'threshold', 'share'],
  ['intent', 'judge', 'bot'],
  ['handoff', 'team', 'team'],
  ['subflow', 'flow', 'flow'],
  ['condition', 'branches', 'list'],
  ['start', 'catches', 'switch'],
])('%s.%s is edited as %s', (kind, name, control) => {
  expect(fieldIn(kind, name).control).toBe(control);
});

test('a number that may be nothing is nothing by default', () => {
  expect(fieldIn('ask', 'least')).toMatchObject({ mayBeNull: true, value: null });
});

test('a setting that is back at its default is left out; a required one stays', () => {
  const threshold = fieldIn('intent', 'threshold');
  expect(withValue({}, threshold, 0.8)).toEqual({ threshold: 0.8 });
  expect(withValue({ threshold: 0.8 }, threshold, 0.6)).toEqual({});
  expect(settingOf({}, threshold)).toBe(0.6);
  expect(withValue({ text: { 'zh-CN': 'a' } }, fieldIn('say', 'text'), {})).toEqual({ text: {} });
});

test('ways out follow the settings, at the place where the server shows them', () => {
  expect(names('intent')).toEqual(['person', 'angry', 'other', 'failed']);
  const routes = [{ port: 'bye', intents: ['goodbye'] }];
  expect(names('intent', { routes })).toEqual(['person', 'angry', 'bye', 'other', 'failed']);
  expect(
    names('buttons', {
      buttons: [
        { port: 'a', label: {} },
        { port: 'b', label: {} },
      ],
    }),
  ).toEqual(['a', 'b', 'other', 'file', 'failed']);
  expect(names('handoff')).toEqual([]);
  expect(waysOf(undefined, {})).toEqual([]);
});

test('whoever waits for a time can be left in silence', () => {
  expect(names('ask')).not.toContain('silent');
  expect(names('ask', { timeout_s: 60 })).toContain('silent');
  expect(names('buttons', { buttons: [], timeout_s: 60 })).toContain('silent');
  expect(names('sensitive', { timeout_s: 2 })).not.toContain('silent');
});

test('what need not lead anywhere is shown when it does, or when the node is selected', () => {
  const ways = waysOf(kindOf('sensitive'), {});
  const shown = (drawn: string[], isSelected = false) =>
    shownWays(ways, (port) => drawn.includes(port), isSelected).map(({ name }) => name);
  expect(shown([])).toEqual(['passed', 'blocked']);
  expect(shown(['failed'])).toEqual(['passed', 'blocked', 'failed']);
  expect(shown([], true)).toEqual(['passed', 'blocked', 'flagged', 'failed']);
});

test('the first open way is the first that must lead somewhere', () => {
  const node = { id: 'w', kind: 'sensitive' };
  const edges = [{ source: 'w', port: 'passed', target: 'x' }];
  const graph: Graph = { format: 2, fallback: {}, nodes: [node], edges };
  expect(openWay(KINDS, graph, node)).toBe('blocked');
});

test('a new item has a way out that none of the others has', () => {
  const routes = fieldIn('intent', 'routes');
  const first = newItem(routes, []);
  expect(newItem(routes, [{ port: 'way_2' }, first]).port).toBe('way_3');
  expect(newItem(routes, [{ port: 'x' }, { port: 'way_3' }]).port).toBe('way_4');
});

test('what a new node begins with has every required setting, and lists that are not empty', () => {
  for (const kind of KINDS.values()) {
    const settings = newSettings(kind);
    for (const { name, isRequired } of kind.fields)
      if (isRequired)
        expect([kind.kind, Object.keys(settings)]).toEqual([
          kind.kind,
          expect.arrayContaining([name]),
        ]);
  }
  expect(newSettings(kindOf('split')).shares).toHaveLength(2);
  expect(newSettings(kindOf('handoff'))).toMatchObject({ why: 'asked' });
});

test('only what matters is shown, and what seldom matters behind a fold', () => {
  const { fields } = kindOf('ask');
  const shown = (settings: object) => {
    const { usual, seldom } = sorted('ask', fields, { form: 'any', ...settings });
    return [usual.map(({ name }) => name), seldom.map(({ name }) => name)] as const;
  };
  expect(shown({})[0]).not.toContain('choices');
  expect(shown({ form: 'choice' })[0]).toContain('choices');
  expect(shown({ form: 'number' })[0]).toContain('least');
  expect(shown({})[1]).toContain('attribute');
  const trigger = fieldIn('start', 'triggers').fields;
  const usual = sorted('triggers', trigger, { on: 'idle' }).usual.map(({ name }) => name);
  expect(usual).toEqual(['on', 'idle_s']);
});

test('ways out that settings make are called by what they say', () => {
  const called = (kind: string, settings: object, port: string) => {
    const way = waysOf(kindOf(kind), { ...settings }).find(({ name }) => name === port);
    return way && wayName(kind, way, 'zh-CN');
  };
  const buttons = [{ port: 'a', label: { 'zh-CN': '退货', en: 'Return' } }];
  expect(called('buttons', { buttons }, 'a')).toBe('退货');
  expect(called('intent', { routes: [{ port: 'a', intents: ['thanks', 'goodbye'] }] }, 'a')).toBe(
    'thanks、goodbye',
  );
  const branches = [{ port: 'a', tests: [{ name: 'phone', op: 'set' }] }];
  expect(called('condition', { branches }, 'a')).toBe('phone 有值');
  expect(called('split', { shares: [{ port: 'a', weight: 3 }] }, 'a')).toBe('× 3');
});

const problem = (more: Partial<Problem>): Problem => ({ code: 'x', text: 'As it came.', ...more });
const graph: Graph = {
  format: 2,
  fallback: {},
  nodes: [{ id: 'w', kind: 'sensitive' }],
  edges: [],
};

test('a finding is told in chinese with the mend, its way out by name', () => {
  const found = problem({
    code: 'unconnected',
    node: 'w',
    args: { port: 'blocked' },
    mend: 'Lead.',
  });
  expect(tell(found, graph, 'zh-CN').text).toBe('出口“命中”没有连接：访客走到这里会一直等。');
  expect(tell(found, graph, 'en')).toEqual({ text: 'As it came.', mend: 'Lead.' });
  expect(tell(problem({ code: 'new_one' }), graph, 'zh-CN').text).toBe('As it came.');
  expect(portOf(found)).toBe('blocked');
  expect(countByNode([found, problem({})]).size).toBe(1);
});

test('a finding stands at its setting', () => {
  const { fields } = kindOf('ask_back');
  const missing = (what: string) => problem({ code: 'text_missing', args: { what } });
  expect(fieldOf(missing('The question without options'), fields)).toBe('text_alone');
  expect(fieldOf(missing('The question with options'), fields)).toBe('text');
  expect(fieldOf(problem({ code: 'unknown_bot' }), kindOf('intent').fields)).toBe('judge');
  expect(fieldOf(problem({ code: 'unreachable' }), fields)).toBeUndefined();
});

test('every code that the server can find has a chinese sentence', () => {
  const source = new URL('../../../../src/qingniao/flow', import.meta.url).pathname;
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' });
  const codes = files
    .filter((name) => name.endsWith('.py'))
    .flatMap((name) => [...readFileSync(join(source, name), 'utf8').matchAll(/\bcode="(\w+)"/g)])
    .map(([, code]) => code ?? '');
  expect(codes.length).toBeGreaterThan(40);
  for (const code of codes) expect([code, code in zh.problems]).toEqual([code, true]);
});

test('what decided at a step is told in words', () => {
  const step = { node: 'i', kind: 'intent', port: 'other', ms: 1, asked: [], says: [], waits_s: 0 };
  const note = { intent: 'thanks', confidence: 0.934, unheard: 3 };
  expect(noteOf({ ...step, note })).toBe('意图 thanks · 把握 0.93');
});
