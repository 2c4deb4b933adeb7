/** What a new flow and a new node begin with. Its one rule: the server can read it, and most of it can stay. */
import type { Graph, Settings, Texts } from '../api/flows.ts';
import type { Kind } from './ports.ts';
import { type Field, newItem, requiredSettings } from './schema.ts';
import en from './words/en.json';
import zh from './words/zh-CN.json';

type Said = Exclude<keyof typeof zh.defaults, 'button'>;

const both = (what: Said): Texts => ({ 'zh-CN': zh.defaults[what], en: en.defaults[what] });

const button = (number: number): Texts => ({
  'zh-CN': zh.defaults.button.replace('{{number}}', String(number)),
  en: en.defaults.button.replace('{{number}}', String(number)),
});

/** Lists that are worth nothing empty, and how many items they begin with. */
const BEGIN_WITH: Readonly<Record<string, number>> = {
  buttons: 2,
  branches: 1,
  shares: 2,
  cards: 1,
};

/** What can stand as it is for most. */
const OWN: Readonly<Record<string, () => Settings>> = {
  handoff: () => ({ why: 'asked', text: both('handoff') }),
  rating: () => ({ text: both('rating'), timeout_s: 600 }),
  ask_back: () => ({ text: both('ask_back'), text_alone: both('ask_back_alone') }),
  ask: () => ({ into: 'answer' }),
};

export function newSettings(kind: Kind): Settings {
  const made = { ...requiredSettings(kind.fields), ...OWN[kind.kind]?.() };
  for (const field of kind.fields) {
    const count = field.isRequired ? BEGIN_WITH[field.name] : undefined;
    if (count !== undefined) made[field.name] = items(field, count);
  }
  return made;
}

function items(field: Field, count: number): readonly Settings[] {
  const made: Settings[] = [];
  for (let number = 1; number <= count; number += 1) {
    const item = newItem(field, made);
    made.push(field.name === 'buttons' ? { ...item, label: button(number) } : item);
  }
  return made;
}

export function emptyGraph(format: number, name: string): Graph {
  return { format, name: { 'zh-CN': name }, fallback: both('fallback'), nodes: [], edges: [] };
}

/** An id out of a name: what is left of it in small letters, or `flow`. */
export function idFrom(name: string, taken: ReadonlySet<string>): string {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 48);
  const stem = plain === '' ? 'flow' : plain;
  if (!taken.has(stem)) return stem;
  for (let number = 2; ; number += 1)
    if (!taken.has(`${stem}-${number}`)) return `${stem}-${number}`;
}

export const FLOW_ID = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/** An exported flow, or why it is none. */
export function readFlowFile(text: string): Graph | 'not_json' | 'not_flow' {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return 'not_json';
  }
  if (typeof found !== 'object' || found === null) return 'not_flow';
  const graph = found as Partial<Graph>;
  if (!Array.isArray(graph.nodes) || graph.nodes.length === 0) return 'not_flow';
  return { format: 1, fallback: {}, edges: [], ...graph } as Graph;
}
