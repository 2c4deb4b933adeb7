/**
 * What is to mend in a drawing, in words and at its place. Owns the translation of the server's findings and which
 * setting each is about; judges nothing itself. Its one rule: a finding that has no translation is shown as it came.
 */
import type { Graph, Problem } from '../api/flows.ts';
import type { Field } from './schema.ts';
import zh from './words/problems.zh-CN.json';
import { portName } from './words.ts';

const SENTENCES = new Map(
  Object.entries(zh.problems as Readonly<Record<string, readonly string[]>>),
);
const WITHOUT_CODE = Object.entries(zh.sentences);
const SUBJECTS = new Map(Object.entries(zh.subjects));

export interface Told {
  readonly text: string;
  readonly mend: string;
}

export const isError = ({ level = 'error' }: Problem): boolean => level === 'error';

/** A finding in the language of whoever draws. */
export function tell(problem: Problem, graph: Graph, language: string): Told {
  const kind = graph.nodes.find(({ id }) => id === problem.node)?.kind ?? '';
  const own = { text: problem.text, mend: problem.mend ?? '' };
  if (!language.startsWith('zh')) return own;
  if (problem.code === 'settings') {
    const known = WITHOUT_CODE.find(([begin]) => problem.text.includes(begin));
    const [, mend = ''] = SENTENCES.get('settings') ?? [];
    return known === undefined ? own : { text: known[1], mend };
  }
  const known = SENTENCES.get(problem.code);
  if (known === undefined) return own;
  const [text = '', mend = ''] = known.map((said) => filled(said, problem, kind));
  return { text, mend };
}

function filled(said: string, problem: Problem, kind: string): string {
  return said.replace(/\{\{(\w+)\}\}/g, (_hole, name: string) => {
    const value = String(problem.args?.[name] ?? '');
    if (name === 'port') return portName(kind, value);
    return name === 'what' ? whatOf(value) : value;
  });
}

function whatOf(what: string): string {
  const number = /\d+/.exec(what)?.[0];
  if (number === undefined) return SUBJECTS.get(what) ?? what;
  if (what.includes('card')) return `第 ${number} 张卡片`;
  return `第 ${number} 项文字`;
}

/** Which settings a finding may be about; the first that the node has is it. */
const ABOUT: Readonly<Record<string, readonly string[]>> = {
  unknown_team: ['team'],
  unknown_bot: ['bot', 'judge', 'router'],
  unknown_flow: ['flow'],
  callee: ['flow'],
  no_flow: ['flow'],
  variable_name: ['into', 'variables', 'take'],
  timeout: ['timeout_s'],
  choices: ['buttons', 'choices'],
  port_names: ['triggers', 'buttons', 'branches', 'routes', 'shares'],
  branches: ['branches'],
  tests: ['branches'],
  test: ['branches'],
  hours: ['triggers', 'branches'],
  utc_offset: ['utc_offset_min'],
  too_many_triggers: ['triggers'],
  two_idle: ['triggers'],
  empty_trigger: ['triggers'],
  wait: ['for_s'],
  shares: ['shares'],
  weights: ['shares'],
  labels: ['labels'],
  low_at: ['low_at'],
  tries: ['tries'],
  range: ['most'],
  attribute: ['attribute', 'attributes'],
  cards: ['cards'],
  too_many_buttons: ['options', 'cards'],
  changes: ['variables'],
  tag: ['tags'],
  url: ['url', 'cards'],
  body: ['body'],
  header: ['headers'],
  headers: ['headers'],
  take: ['take'],
  path: ['take'],
  deadline: ['deadline_s'],
  unknown_secret: ['headers'],
};

const WORDS: readonly (readonly [string, readonly string[]])[] = [
  ['without options', ['text_alone']],
  ['asked again', ['retry']],
  ['card', ['cards']],
  ['abel', ['buttons', 'choices', 'labels']],
  ['', ['text']],
];

const WITHOUT_CODE_ABOUT: readonly (readonly [string, string])[] = [
  ['A way out needs', 'routes'],
  ['An intent can', 'routes'],
  ['A bot that judges', 'routes'],
  ['Two ways out', 'routes'],
  ['A threshold', 'threshold'],
  ['least confidence', 'floor'],
  ['silence', 'idle_s'],
  ['The thresholds', 'sure_at'],
  ['entries', 'limit'],
];

/** The setting that a finding is about, as far as it is known. */
export function fieldOf(problem: Problem, fields: readonly Field[]): string | undefined {
  const has = (name: string) => fields.some((field) => field.name === name);
  const what = problem.args?.what;
  if (what !== undefined) {
    const [, names] = WORDS.find(([word]) => String(what).includes(word)) ?? [];
    return names?.find(has);
  }
  if (problem.code === 'settings')
    return WITHOUT_CODE_ABOUT.find(
      ([begin, name]) => problem.text.includes(begin) && has(name),
    )?.[1];
  return ABOUT[problem.code]?.find(has);
}

/** The way out that a finding is about. */
export function portOf({ code, args }: Problem): string | undefined {
  return code === 'unconnected' || code === 'no_fallback' ? String(args?.port ?? '') : undefined;
}

/** How many there are at each node, errors and hints. */
export function countByNode(problems: readonly Problem[]): ReadonlyMap<string, readonly Problem[]> {
  const found = new Map<string, Problem[]>();
  for (const problem of problems) {
    if (problem.node === undefined || problem.node === '') continue;
    found.set(problem.node, [...(found.get(problem.node) ?? []), problem]);
  }
  return found;
}
