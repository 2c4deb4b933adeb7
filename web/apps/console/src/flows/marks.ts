/** The way that a turn took, as the canvas shows it. Owns how steps become lit nodes and lines. */
import type { FlowTried } from '../api/flows.ts';

export interface Mark {
  readonly ms: number;
  /** Ways out that were taken. */
  readonly ports: readonly string[];
}

export interface Marks {
  readonly nodes: ReadonlyMap<string, Mark>;
  /** `lineKey` of each line that was walked. */
  readonly lines: ReadonlySet<string>;
  /** The node that waits for the visitor; empty: none. */
  readonly waits: string;
}

export const lineKey = (source: string, port: string): string => `${source}|${port}`;

/** Of a node within a flow that is called only the caller is on this canvas. */
const onCanvas = (node: string): string => node.split('/', 1)[0] ?? node;

export function marksOf(tried: FlowTried): Marks {
  const nodes = new Map<string, Mark>();
  const lines = new Set<string>();
  let caller = '';
  for (const { node, port, ms } of tried.steps) {
    const here = onCanvas(node);
    const isInside = node !== here;
    const held = nodes.get(here) ?? { ms: 0, ports: [] };
    nodes.set(here, { ms: held.ms + ms, ports: isInside ? held.ports : [...held.ports, port] });
    if (caller !== '' && !isInside && here !== caller) lines.add(lineKey(caller, 'done'));
    caller = isInside ? here : '';
    if (!isInside && port !== '') lines.add(lineKey(here, port));
  }
  const waits = onCanvas(tried.waits_for);
  if (waits !== '' && !nodes.has(waits)) nodes.set(waits, { ms: 0, ports: [] });
  return { nodes, lines, waits };
}
