/**
 * Changing a drawing. Owns every edit as a function from a drawing to a drawing; knows no screen and no server.
 * Its one rule: a line always leads from a node that is there to a node that is there, one for each way out.
 */
import type { FlowEdge, FlowNode, Graph, Settings, Texts } from '../api/flows.ts';

export interface Place {
  readonly x: number;
  readonly y: number;
}

/** A part of a drawing, as the clipboard holds it. */
export interface Part {
  readonly nodes: readonly FlowNode[];
  readonly edges: readonly FlowEdge[];
}

const START = 'start';

export function isStart(node: FlowNode): boolean {
  return node.kind === START;
}

export function nodeOf(graph: Graph, id: string): FlowNode | undefined {
  return graph.nodes.find((node) => node.id === id);
}

/** `kind`, `kind_2`, …: the first that is free. */
export function freshId(kind: string, taken: ReadonlySet<string>): string {
  if (!taken.has(kind)) return kind;
  for (let number = 2; ; number += 1) {
    const id = `${kind}_${number}`;
    if (!taken.has(id)) return id;
  }
}

const idsOf = (graph: Graph): Set<string> => new Set(graph.nodes.map(({ id }) => id));

export function addNode(
  graph: Graph,
  kind: string,
  settings: Settings,
  { x, y }: Place,
): { graph: Graph; id: string } {
  const id = freshId(kind, idsOf(graph));
  const node: FlowNode = { id, kind, settings, x: Math.round(x), y: Math.round(y) };
  return { graph: { ...graph, nodes: [...graph.nodes, node] }, id };
}

/** May a line be drawn so? Not into a start, not to itself, and not where it is already. */
export function mayConnect(graph: Graph, edge: FlowEdge): boolean {
  const target = nodeOf(graph, edge.target);
  if (target === undefined || isStart(target) || edge.source === edge.target) return false;
  return nodeOf(graph, edge.source) !== undefined && !graph.edges.some((one) => same(one, edge));
}

function same(a: FlowEdge, b: FlowEdge): boolean {
  return a.source === b.source && a.port === b.port && a.target === b.target;
}

/** Draw a line; another one from the same way out gives way to it. */
export function connect(graph: Graph, edge: FlowEdge): Graph {
  if (!mayConnect(graph, edge)) return graph;
  const rest = graph.edges.filter(
    ({ source, port }) => source !== edge.source || port !== edge.port,
  );
  return { ...graph, edges: [...rest, edge] };
}

export function disconnect(graph: Graph, source: string, port: string): Graph {
  const edges = graph.edges.filter((edge) => edge.source !== source || edge.port !== port);
  return edges.length === graph.edges.length ? graph : { ...graph, edges };
}

/** Where a way out leads. */
export function targetOf(graph: Graph, source: string, port: string): string | undefined {
  return graph.edges.find((edge) => edge.source === source && edge.port === port)?.target;
}

export function removeNodes(graph: Graph, ids: ReadonlySet<string>): Graph {
  if (!graph.nodes.some(({ id }) => ids.has(id))) return graph;
  return {
    ...graph,
    nodes: graph.nodes.filter(({ id }) => !ids.has(id)),
    edges: graph.edges.filter(({ source, target }) => !ids.has(source) && !ids.has(target)),
  };
}

export function moveNodes(graph: Graph, places: ReadonlyMap<string, Place>): Graph {
  let isMoved = false;
  const nodes = graph.nodes.map((node) => {
    const place = places.get(node.id);
    if (place === undefined) return node;
    const [x, y] = [Math.round(place.x), Math.round(place.y)];
    if (x === node.x && y === node.y) return node;
    isMoved = true;
    return { ...node, x, y };
  });
  return isMoved ? { ...graph, nodes } : graph;
}

/** Change a node's settings; lines from ways out that are gone go with them. `ports`: the names that are left. */
export function setSettings(
  graph: Graph,
  id: string,
  settings: Settings,
  ports: ReadonlySet<string>,
): Graph {
  return {
    ...graph,
    nodes: graph.nodes.map((node) => (node.id === id ? { ...node, settings } : node)),
    edges: graph.edges.filter(({ source, port }) => source !== id || ports.has(port)),
  };
}

export function setTitle(graph: Graph, id: string, title: Texts): Graph {
  return {
    ...graph,
    nodes: graph.nodes.map((node) =>
      node.id === id ? { ...node, title: withoutBlanks(title) } : node,
    ),
  };
}

export function withoutBlanks(texts: Texts): Texts {
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== ''));
}

/** These nodes and the lines among them; a start is not copied: a flow has one. */
export function partOf(graph: Graph, ids: ReadonlySet<string>): Part {
  const nodes = graph.nodes.filter((node) => ids.has(node.id) && !isStart(node));
  const kept = new Set(nodes.map(({ id }) => id));
  const edges = graph.edges.filter(({ source, target }) => kept.has(source) && kept.has(target));
  return { nodes, edges };
}

/** Put a part in, under ids of its own. `at`: where its upper left corner comes to lie. */
export function paste(
  graph: Graph,
  part: Part,
  at: Place,
): { graph: Graph; ids: readonly string[] } {
  const taken = idsOf(graph);
  const hasStart = graph.nodes.some(isStart);
  const coming = part.nodes.filter((node) => !isStart(node) || !hasStart);
  const names = new Map<string, string>();
  for (const { id, kind } of coming) {
    const fresh = freshId(kind, taken);
    taken.add(fresh);
    names.set(id, fresh);
  }
  const left = Math.min(...coming.map(({ x = 0 }) => x));
  const top = Math.min(...coming.map(({ y = 0 }) => y));
  const nodes = coming.map((node) => ({
    ...node,
    id: names.get(node.id) ?? node.id,
    x: Math.round((node.x ?? 0) - left + at.x),
    y: Math.round((node.y ?? 0) - top + at.y),
  }));
  const edges = part.edges.flatMap(({ source, port, target }) => {
    const [from, to] = [names.get(source), names.get(target)];
    return from === undefined || to === undefined ? [] : [{ source: from, port, target: to }];
  });
  return {
    graph: { ...graph, nodes: [...graph.nodes, ...nodes], edges: [...graph.edges, ...edges] },
    ids: nodes.map(({ id }) => id),
  };
}

/** Is this text a part that was copied from a drawing? Whatever else it is, it is not pasted. */
export function readPart(text: string): Part | undefined {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof found !== 'object' || found === null) return undefined;
  const { nodes, edges } = found as { nodes?: unknown; edges?: unknown };
  if (!Array.isArray(nodes) || !Array.isArray(edges) || nodes.length === 0) return undefined;
  const isPart =
    nodes.every((node) => typeof node?.id === 'string' && typeof node?.kind === 'string') &&
    edges.every((edge) =>
      [edge?.source, edge?.port, edge?.target].every((end) => typeof end === 'string'),
    );
  return isPart ? { nodes, edges } : undefined;
}
