/**
 * The ways out of a node as it is set. Owns how they follow from the settings; the server says what there is by
 * default. Its one rule: a list in the settings whose items name a way out stands where the server's example stands.
 */
import type { FlowKind, FlowNode, FlowPort, Graph, Settings } from '../api/flows.ts';
import { type Field, fieldsOf, PORT } from './schema.ts';

export interface Way extends FlowPort {
  /** The setting that made it: its list and its place there. */
  readonly item?: Settings;
}

/** What the server's example of a kind calls the ways out that settings make. */
const EXAMPLES: ReadonlySet<string> = new Set(['one', 'two']);
const SILENT = 'silent';
const FAILED = 'failed';

export interface Kind extends FlowKind {
  readonly fields: readonly Field[];
}

export type Kinds = ReadonlyMap<string, Kind>;

export function kindsOf(told: readonly FlowKind[]): Kinds {
  return new Map(told.map((kind) => [kind.kind, { ...kind, fields: fieldsOf(kind.settings) }]));
}

export function waysOf(kind: Kind | undefined, settings: Settings): readonly Way[] {
  if (kind === undefined) return [];
  const list = kind.fields.find(({ fields }) => fields.some(({ name }) => name === PORT));
  const made = list === undefined ? [] : itemsOf(settings[list.name]);
  const example = kind.ports.find(({ name }) => EXAMPLES.has(name));
  const ways: Way[] = [];
  let isPlaced = list === undefined;
  const place = () => {
    if (isPlaced) return;
    isPlaced = true;
    for (const item of made) {
      const name = String(item[PORT] ?? '');
      if (name !== '')
        ways.push({ name, must: example?.must ?? true, waits: example?.waits ?? false, item });
    }
  };
  for (const port of kind.ports) {
    if (EXAMPLES.has(port.name)) place();
    else if (port.name !== SILENT) ways.push(port);
  }
  place();
  return withSilence(kind, settings, ways);
}

/** A node that waits for the visitor is left another way when its time is up, if it has one. */
function withSilence(kind: Kind, settings: Settings, ways: readonly Way[]): readonly Way[] {
  const waits = kind.ports.some((port) => port.waits);
  const isTimed = kind.fields.some(({ name }) => name === 'timeout_s');
  if (!waits || !isTimed || !(Number(settings.timeout_s ?? 0) > 0)) return ways;
  const silent: Way = { name: SILENT, must: true, waits: false };
  const at = ways.findIndex(({ name }) => name === FAILED);
  return at < 0 ? [...ways, silent] : [...ways.slice(0, at), silent, ...ways.slice(at)];
}

export function waysOfNode(kinds: Kinds, node: FlowNode): readonly Way[] {
  return waysOf(kinds.get(node.kind), node.settings ?? {});
}

/** What is drawn of them: those that must lead somewhere, and others that do. */
export function shownWays(
  ways: readonly Way[],
  isDrawn: (port: string) => boolean,
  isSelected: boolean,
): readonly Way[] {
  return ways.filter(({ name, must }) => must || isSelected || isDrawn(name));
}

/** The first way out that leads nowhere and has to. */
export function openWay(kinds: Kinds, graph: Graph, node: FlowNode): string | undefined {
  const drawn = new Set(
    graph.edges.filter(({ source }) => source === node.id).map(({ port }) => port),
  );
  return waysOfNode(kinds, node).find(({ name, must }) => must && !drawn.has(name))?.name;
}

export function itemsOf(value: unknown): readonly Settings[] {
  return Array.isArray(value)
    ? value.filter((item): item is Settings => typeof item === 'object' && item !== null)
    : [];
}
