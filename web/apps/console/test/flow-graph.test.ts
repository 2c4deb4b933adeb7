import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Graph } from '../src/api/flows.ts';
import { idFrom, readFlowFile } from '../src/flows/defaults.ts';
import { changesBetween } from '../src/flows/diff.ts';
import {
  addNode,
  connect,
  disconnect,
  mayConnect,
  moveNodes,
  partOf,
  paste,
  readPart,
  removeNodes,
  setSettings,
  targetOf,
} from '../src/flows/graph.ts';
import { begin, MOST_STEPS, ONE_STEP_MS, record, redo, undo } from '../src/flows/history.ts';
import { arrange, isUnplaced } from '../src/flows/layout.ts';
import { walked } from '../src/flows/outline.tsx';

const DRAWN: Graph = {
  format: 2,
  fallback: { 'zh-CN': '抱歉' },
  nodes: [
    { id: 'start', kind: 'start', x: 0, y: 0 },
    { id: 'words', kind: 'sensitive', x: 300, y: 0 },
    { id: 'say', kind: 'say', settings: { text: { 'zh-CN': '您好' } }, x: 600, y: 0 },
    { id: 'help', kind: 'handoff', x: 600, y: 200 },
  ],
  edges: [
    { source: 'start', port: 'asked', target: 'words' },
    { source: 'words', port: 'passed', target: 'say' },
    { source: 'words', port: 'blocked', target: 'help' },
  ],
};

const ids = (graph: Graph) => graph.nodes.map(({ id }) => id);

test('a new node has an id of its own and a whole place', () => {
  const { graph, id } = addNode(DRAWN, 'say', {}, { x: 10.4, y: 20.6 });
  expect(id).toBe('say_2');
  expect(graph.nodes.at(-1)).toMatchObject({ id: 'say_2', kind: 'say', x: 10, y: 21 });
});

test('a way out leads to one node: a second line takes the place of the first', () => {
  const led = connect(DRAWN, { source: 'words', port: 'passed', target: 'help' });
  expect(targetOf(led, 'words', 'passed')).toBe('help');
  expect(led.edges).toHaveLength(3);
  expect(targetOf(disconnect(led, 'words', 'passed'), 'words', 'passed')).toBeUndefined();
});

test.each([
  ['into the start', { source: 'say', port: 'next', target: 'start' }],
  ['to itself', { source: 'say', port: 'next', target: 'say' }],
  ['from nowhere', { source: 'gone', port: 'next', target: 'say' }],
  ['where it is already', { source: 'words', port: 'passed', target: 'say' }],
])('no line leads %s', (_why, edge) => {
  expect(mayConnect(DRAWN, edge)).toBe(false);
  expect(connect(DRAWN, edge)).toBe(DRAWN);
});

test('with a node its lines go', () => {
  const rest = removeNodes(DRAWN, new Set(['words']));
  expect(ids(rest)).toEqual(['start', 'say', 'help']);
  expect(rest.edges).toEqual([]);
});

test('with a way out its line goes', () => {
  const set = setSettings(DRAWN, 'words', { timeout_s: 2 }, new Set(['passed']));
  expect(set.edges.map(({ port }) => port)).toEqual(['asked', 'passed']);
});

test('moving nowhere changes nothing', () => {
  expect(moveNodes(DRAWN, new Map([['say', { x: 600, y: 0 }]]))).toBe(DRAWN);
  expect(moveNodes(DRAWN, new Map([['say', { x: 601, y: 0 }]]))).not.toBe(DRAWN);
});

test('what is copied comes with its lines under new ids, without a second start', () => {
  const part = partOf(DRAWN, new Set(['start', 'words', 'help']));
  expect(part.nodes.map(({ id }) => id)).toEqual(['words', 'help']);
  const read = readPart(JSON.stringify(part));
  expect(read).toEqual(part);
  const { graph, ids: fresh } = paste(DRAWN, part, { x: 1_000, y: 500 });
  expect(fresh).toEqual(['sensitive', 'handoff']);
  expect(targetOf(graph, 'sensitive', 'blocked')).toBe('handoff');
  expect(graph.nodes.at(-2)).toMatchObject({ x: 1_000, y: 500 });
  expect(new Set(ids(graph)).size).toBe(graph.nodes.length);
});

test.each(['', 'hello', '{}', '[]', '{"nodes":[],"edges":[]}', '{"nodes":[{"id":1}],"edges":[]}'])(
  '%j is not pasted',
  (text) => {
    expect(readPart(text)).toBeUndefined();
  },
);

test('no edit leaves a line without its nodes, or two from one way out', () => {
  const name = fc.constantFrom('start', 'words', 'say', 'help', 'say_2', 'gone');
  const port = fc.constantFrom('asked', 'passed', 'next');
  const edit = fc.oneof(
    fc.record({ source: name, port, target: name }).map((edge) => (g: Graph) => connect(g, edge)),
    name.map((id) => (g: Graph) => removeNodes(g, new Set([id]))),
    name.map(
      (id) => (g: Graph) => paste(g, partOf(g, new Set([id, 'words'])), { x: 0, y: 0 }).graph,
    ),
    fc.constant((g: Graph) => addNode(g, 'say', {}, { x: 0, y: 0 }).graph),
  );
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 12 }), (edits) => {
      const graph = edits.reduce((held, one) => one(held), DRAWN);
      const known = new Set(ids(graph));
      expect(known.size).toBe(graph.nodes.length);
      expect(graph.edges.every((e) => known.has(e.source) && known.has(e.target))).toBe(true);
      const out = graph.edges.map((e) => `${e.source} ${e.port}`);
      expect(new Set(out).size).toBe(out.length);
    }),
  );
});

test('undo and redo walk the same steps; a new step forgets what was undone', () => {
  let history = begin(0);
  for (const step of [1, 2, 3]) history = record(history, step, step);
  expect(undo(undo(history)).present).toBe(1);
  expect(redo(undo(history)).present).toBe(3);
  expect(record(undo(history), 9, 10).future).toEqual([]);
  expect(undo(begin(0)).present).toBe(0);
  expect(redo(history)).toBe(history);
});

test('typing a word is one step, and steps are bounded', () => {
  let history = begin('');
  for (const [at, word] of ['a', 'ab', 'abc'].entries())
    history = record(history, word, at, 'title');
  expect(undo(history).present).toBe('');
  history = record(history, 'abcd', 2 + ONE_STEP_MS, 'title');
  expect(undo(history).present).toBe('abc');
  let long = begin(0);
  for (let step = 1; step <= MOST_STEPS + 50; step += 1) long = record(long, step, step);
  expect(long.past).toHaveLength(MOST_STEPS);
});

test('an undo after a word makes the next letter a step of its own', () => {
  let history = record(begin(''), 'a', 1, 'title');
  history = record(undo(history), 'b', 2, 'title');
  expect(undo(history).present).toBe('');
});

test('laid out, every node stands right of where it is led from, and none covers another', () => {
  const size = { width: 224, height: 120 };
  const places = arrange(DRAWN, () => size);
  const at = (id: string) => places.get(id) ?? { x: Number.NaN, y: Number.NaN };
  for (const { source, target } of DRAWN.edges)
    expect(at(target).x).toBeGreaterThanOrEqual(at(source).x + size.width);
  for (const a of DRAWN.nodes)
    for (const b of DRAWN.nodes)
      if (a.id < b.id)
        expect(
          Math.abs(at(a.id).x - at(b.id).x) >= size.width ||
            Math.abs(at(a.id).y - at(b.id).y) >= size.height,
        ).toBe(true);
});

test('a drawing with a circle is laid out too', () => {
  const round = connect(DRAWN, { source: 'say', port: 'next', target: 'words' });
  expect(arrange(round, () => ({ width: 10, height: 10 })).size).toBe(4);
});

test('a drawing without places is known', () => {
  expect(isUnplaced(DRAWN)).toBe(false);
  const bare = { ...DRAWN, nodes: DRAWN.nodes.map(({ x: _x, y: _y, ...node }) => node) };
  expect(isUnplaced(bare)).toBe(true);
});

test('the list goes from the start, and what nothing leads to comes last', () => {
  const lone = { ...DRAWN, nodes: [{ id: 'lone', kind: 'end' }, ...DRAWN.nodes] };
  expect(walked(lone).map(({ id }) => id)).toEqual(['start', 'words', 'say', 'help', 'lone']);
});

test('what differs is told, and moving is no difference', () => {
  const moved = moveNodes(DRAWN, new Map([['say', { x: 9, y: 9 }]]));
  expect(changesBetween(DRAWN, moved)).toEqual([]);
  const after = connect(
    setSettings(
      removeNodes(DRAWN, new Set(['help'])),
      'say',
      { text: { 'zh-CN': '好' } },
      new Set(),
    ),
    { source: 'start', port: 'file', target: 'say' },
  );
  expect(changesBetween(DRAWN, after).map(({ what }) => what)).toEqual([
    'removed',
    'set',
    'led',
    'led',
  ]);
  expect(changesBetween(after, DRAWN)[0]).toMatchObject({ what: 'added', node: { id: 'help' } });
});

test('a file that is no flow is refused with its reason', () => {
  expect(readFlowFile('nonsense')).toBe('not_json');
  expect(readFlowFile('{"nodes":[]}')).toBe('not_flow');
  expect(readFlowFile(JSON.stringify(DRAWN))).toMatchObject({ format: 2, edges: DRAWN.edges });
});

test.each([
  ['After Sales!', 'after-sales'],
  ['售后', 'flow'],
  ['taken', 'taken-2'],
])('%s becomes the id %s', (name, id) => {
  expect(idFrom(name, new Set(['taken']))).toBe(id);
});
