/** Which settings of a node are shown, and which only when asked for. Owns what depends on what; the server checks. */
import type { Settings } from '../api/flows.ts';
import { type Field, PORT } from './schema.ts';

/** Seldom changed: behind “more settings”. */
const SELDOM: ReadonlySet<string> = new Set([
  'utc_offset_min',
  'explains',
  'salt',
  'idle_s',
  'deadline_s',
  'near_at',
  'limit',
  'none_of_these',
  'declines',
  'attribute',
  'offers',
  'low_at',
  'labels',
  'untag',
  'attributes',
  'add',
  'headers',
]);

type Test = (settings: Settings) => boolean;

const is =
  (name: string, ...values: readonly unknown[]): Test =>
  (settings) =>
    values.includes(settings[name]);

/** By the name of a setting within the settings that it stands in. */
const ONLY: Readonly<Record<string, Readonly<Record<string, Test>>>> = {
  ask: {
    choices: is('form', 'choice'),
    least: is('form', 'number'),
    most: is('form', 'number'),
    utc_offset_min: is('form', 'date'),
  },
  intent: { explains: ({ judge }) => Boolean(judge) },
  handoff: { explains: ({ router }) => Boolean(router) },
  http: { body: ({ method = 'GET' }) => method !== 'GET' },
  triggers: {
    words: is('on', 'keyword'),
    is_whole: is('on', 'keyword'),
    pages: is('on', 'page'),
    hours: is('on', 'schedule'),
    idle_s: is('on', 'idle'),
  },
  tests: {
    value: ({ op = 'is' }) => !['one_of', 'set', 'unset', 'within'].includes(String(op)),
    values: is('op', 'one_of'),
    hours: is('op', 'within'),
  },
};

export interface Sorted {
  readonly usual: readonly Field[];
  readonly seldom: readonly Field[];
}

/** `within`: a kind of node, or the list that these are the items of. */
export function sorted(within: string, fields: readonly Field[], settings: Settings): Sorted {
  const shown = fields.filter(
    ({ name }) => name !== PORT && (ONLY[within]?.[name]?.(settings) ?? true),
  );
  const isNode = within in ONLY ? within !== 'triggers' && within !== 'tests' : true;
  const isSeldom = ({ name, isRequired }: Field) => isNode && !isRequired && SELDOM.has(name);
  return { usual: shown.filter((field) => !isSeldom(field)), seldom: shown.filter(isSeldom) };
}
