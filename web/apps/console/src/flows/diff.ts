/** What differs between two drawings. Owns the comparison; knows no words. Places are not compared: moving changes nothing. */
import type { FlowEdge, FlowNode, Graph } from '../api/flows.ts';

export type Change =
  | { readonly what: 'added' | 'removed'; readonly node: FlowNode }
  | {
      readonly what: 'set';
      readonly node: FlowNode;
      readonly field: string;
      readonly before: unknown;
      readonly after: unknown;
    }
  | { readonly what: 'titled'; readonly node: FlowNode; readonly before: FlowNode }
  | {
      readonly what: 'led';
      readonly node: FlowNode;
      readonly port: string;
      readonly before: string | undefined;
      readonly after: string | undefined;
    }
  | { readonly what: 'fallback' };

export function changesBetween(before: Graph, after: Graph): readonly Change[] {
  const [were, are] = [byId(before), byId(after)];
  const found: Change[] = [];
  for (const node of after.nodes) if (!were.has(node.id)) found.push({ what: 'added', node });
  for (const node of before.nodes) if (!are.has(node.id)) found.push({ what: 'removed', node });
  for (const node of after.nodes) {
    const old = were.get(node.id);
    if (old === undefined) continue;
    if (node.kind !== old.kind) found.push({ what: 'removed', node: old }, { what: 'added', node });
    else found.push(...within(old, node));
  }
  found.push(...lines(before, after, are));
  if (differs(before.fallback, after.fallback)) found.push({ what: 'fallback' });
  return found;
}

function within(before: FlowNode, after: FlowNode): readonly Change[] {
  const found: Change[] = [];
  if (differs(before.title ?? {}, after.title ?? {}))
    found.push({ what: 'titled', node: after, before });
  const [was, is] = [before.settings ?? {}, after.settings ?? {}];
  for (const field of [...new Set([...Object.keys(was), ...Object.keys(is)])].sort())
    if (differs(was[field], is[field]))
      found.push({ what: 'set', node: after, field, before: was[field], after: is[field] });
  return found;
}

/** Only of nodes that stay: the lines of the others went or came with them. */
function lines(before: Graph, after: Graph, are: ReadonlyMap<string, FlowNode>): readonly Change[] {
  const [led, leads] = [targets(before.edges), targets(after.edges)];
  const known = new Set(before.nodes.map(({ id }) => id));
  const found: Change[] = [];
  for (const key of new Set([...led.keys(), ...leads.keys()])) {
    const [was, is] = [led.get(key), leads.get(key)];
    const edge = is ?? was;
    const node = edge && are.get(edge.source);
    if (edge === undefined || node === undefined || !known.has(node.id)) continue;
    if (was?.target !== is?.target)
      found.push({ what: 'led', node, port: edge.port, before: was?.target, after: is?.target });
  }
  return found;
}

const targets = (edges: readonly FlowEdge[]) =>
  new Map(edges.map((edge) => [`${edge.source}\n${edge.port}`, edge]));

const byId = (graph: Graph) => new Map(graph.nodes.map((node) => [node.id, node]));

/** Deeply, and whatever the order of keys. */
export function differs(a: unknown, b: unknown): boolean {
  return sorted(a) !== sorted(b);
}

function sorted(value: unknown): string {
  return (
    JSON.stringify(value, (_key, inner: unknown) =>
      typeof inner === 'object' && inner !== null && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
        : inner,
    ) ?? ''
  );
}
