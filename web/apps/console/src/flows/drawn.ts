/**
 * A drawing as React Flow holds it. Owns the translation; what did not change stays the same object, so that only what
 * changed is drawn again.
 */
import type { Edge } from '@xyflow/react';
import type { FlowEdge, FlowNode, Graph, Problem } from '../api/flows.ts';
import { lineKey, type Marks } from './marks.ts';
import { INTO, type StepNode, WIDTH } from './node.tsx';
import type { Kinds } from './ports.ts';
import { waysOfNode } from './ports.ts';
import { isError } from './problems.ts';
import { nodeName, portName } from './words.ts';

const NONE: readonly Problem[] = [];

export interface Around {
  readonly problems: ReadonlyMap<string, readonly Problem[]>;
  readonly marks: Marks | undefined;
  readonly labelOf: (node: FlowNode) => string;
}

export function nodesOf(
  before: readonly StepNode[],
  graph: Graph,
  { problems, marks, labelOf }: Around,
): StepNode[] {
  const known = new Map(before.map((node) => [node.id, node]));
  const drawn = portsBySource(graph.edges);
  return graph.nodes.map((node) => {
    const old = known.get(node.id);
    const ports = drawn.get(node.id) ?? new Set<string>();
    const found = problems.get(node.id) ?? NONE;
    const mark = marks?.nodes.get(node.id);
    const isWaiting = marks?.waits === node.id;
    const label = labelOf(node);
    const sign = [
      label,
      [...ports].join(' '),
      found.length,
      found.some(isError),
      mark?.ms,
      mark?.ports.join(' '),
      isWaiting,
    ].join('|');
    const position = { x: node.x ?? 0, y: node.y ?? 0 };
    if (old !== undefined) {
      const isSame = old.data.node === node && old.data.sign === sign;
      const isThere = old.position.x === position.x && old.position.y === position.y;
      if (isSame && (isThere || old.dragging === true)) return old;
      const place = old.dragging === true ? old.position : position;
      if (isSame) return { ...old, position: place };
    }
    return {
      ...old,
      id: node.id,
      type: 'step' as const,
      position: old?.dragging === true ? old.position : position,
      initialWidth: WIDTH,
      ariaLabel: label,
      data: { node, drawn: ports, problems: found, mark, isWaiting, sign },
    };
  });
}

export function edgesOf(
  before: readonly Edge[],
  graph: Graph,
  marks: Marks | undefined,
  language: string,
  wordsOf: (from: string, way: string, to: string) => string,
): Edge[] {
  const known = new Map(before.map((edge) => [edge.id, edge]));
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  return graph.edges.map(({ source, port, target }) => {
    const id = `${source}|${port}|${target}`;
    const isLit = marks?.lines.has(lineKey(source, port)) === true;
    const from = nodes.get(source);
    const ariaLabel = wordsOf(
      nodeName(from, language),
      portName(from?.kind ?? '', port),
      nodeName(nodes.get(target), language),
    );
    const className = `flow-line${port === 'failed' ? ' flow-line-fails' : ''}${isLit ? ' flow-line-lit' : ''}`;
    const old = known.get(id);
    if (old !== undefined && old.className === className && old.ariaLabel === ariaLabel) return old;
    return {
      ...old,
      id,
      source,
      sourceHandle: port,
      target,
      targetHandle: INTO,
      className,
      ariaLabel,
      zIndex: isLit ? 1 : 0,
    };
  });
}

/** How much room a node takes that was not drawn yet. */
export function roughSize(kinds: Kinds, node: FlowNode): { width: number; height: number } {
  const ways = waysOfNode(kinds, node).filter(({ must }) => must).length;
  return { width: WIDTH, height: 74 + ways * 30 };
}

function portsBySource(edges: readonly FlowEdge[]): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  for (const { source, port } of edges) {
    const ports = found.get(source) ?? new Set();
    ports.add(port);
    found.set(source, ports);
  }
  return found;
}
