import { expect, test } from 'vitest';
import type { FlowStep, FlowTried } from '../src/api/flows.ts';
import { marksOf } from '../src/flows/marks.ts';
import {
  costOf,
  MOST_SAID,
  optionsOf,
  saidBefore,
  stateAfter,
  type Turn,
} from '../src/flows/trying.ts';

const step = (node: string, port: string, more: Partial<FlowStep> = {}): FlowStep => ({
  node,
  kind: 'say',
  port,
  note: {},
  ms: 1,
  asked: [],
  says: [],
  waits_s: 0,
  ...more,
});
const tried = (steps: FlowStep[], more: Partial<FlowTried> = {}): FlowTried => ({
  state: {},
  steps,
  says: [],
  why: '',
  waits_for: '',
  ...more,
});
const turn = (id: number, said: string, told?: FlowTried): Turn => ({ id, said, told, fault: '' });

test('the way of a turn lights its nodes and lines', () => {
  const { nodes, lines, waits } = marksOf(
    tried([step('start', 'asked'), step('ask', '', { ms: 2 })], { waits_for: 'ask' }),
  );
  expect([...nodes.keys()]).toEqual(['start', 'ask']);
  expect([...lines]).toEqual(['start|asked']);
  expect(waits).toBe('ask');
});

test('a flow that is called is one node, which is left by done', () => {
  const { nodes, lines } = marksOf(
    tried([
      step('call', 'enter'),
      step('call/start', 'asked'),
      step('call/end', 'return'),
      step('say', 'next'),
    ]),
  );
  expect([...nodes.keys()]).toEqual(['call', 'say']);
  expect(nodes.get('call')?.ms).toBe(3);
  expect(lines.has('call|done')).toBe(true);
});

test('the next turn knows what was said, and no more than the server takes', () => {
  const turns = [
    turn(1, '你好', tried([], { says: [{ text: '您好' }], state: { node: 'a' } })),
    turn(2, '', tried([], { says: [{ text: '还在吗' }], state: { node: 'b' } })),
    turn(3, '在'),
  ];
  expect(saidBefore(turns).map(({ role, text }) => `${role} ${text}`)).toEqual([
    'visitor 你好',
    'bot 您好',
    'bot 还在吗',
    'visitor 在',
  ]);
  expect(stateAfter(turns)).toEqual({ node: 'b' });
  const many = Array.from({ length: 60 }, (_none, at) => turn(at, `${at}`));
  expect(saidBefore(many)).toHaveLength(MOST_SAID);
  expect(saidBefore(many).at(-1)?.text).toBe('59');
});

test('buttons are those of the last thing that was said', () => {
  const says = [
    { text: 'a', options: ['x'] },
    { text: 'b', options: ['y', 'z'] },
  ];
  expect(optionsOf(tried([], { says }))).toEqual(['y', 'z']);
  expect(optionsOf(undefined)).toEqual([]);
});

test('what bots cost is summed by currency', () => {
  const asked = (cost: number, currency: string) => ({
    request: {},
    answer: { cost, currency },
    took_ms: 1,
  });
  const steps = [step('a', 'x', { asked: [asked(0.001, 'CNY'), asked(0.002, 'CNY')] })];
  expect(costOf(tried(steps))).toBe('0.0030 CNY');
  expect(costOf(tried([]))).toBe('');
});
