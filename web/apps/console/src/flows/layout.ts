/** A drawing put in order from left to right. Owns the distances; the ranks are dagre's work. Changes places only. */
import { layout, Graph as Ranked } from '@dagrejs/dagre';
import type { Graph } from '../api/flows.ts';
import type { Place } from './graph.ts';

export interface Size {
  readonly width: number;
  readonly height: number;
}

const BETWEEN_RANKS = 84;
const BETWEEN_NODES = 32;
const GRID = 4;

/** A place for every node; the start stays the leftmost. */
export function arrange(graph: Graph, sizeOf: (id: string) => Size): ReadonlyMap<string, Place> {
  const ranked = new Ranked({ multigraph: true });
  ranked.setGraph({ rankdir: 'LR', ranksep: BETWEEN_RANKS, nodesep: BETWEEN_NODES });
  ranked.setDefaultEdgeLabel(() => ({}));
  for (const { id } of graph.nodes) ranked.setNode(id, { ...sizeOf(id) });
  for (const { source, port, target } of graph.edges) ranked.setEdge(source, target, {}, port);
  layout(ranked);
  return new Map(
    graph.nodes.map(({ id }) => {
      // dagre gives the middle of each.
      const { x, y, width, height } = ranked.node(id) as Size & Place;
      return [id, { x: onGrid(x - width / 2), y: onGrid(y - height / 2) }];
    }),
  );
}

function onGrid(value: number): number {
  return Math.round(value / GRID) * GRID;
}

/** Was it never laid out? Drawings that were written by hand have no places. */
export function isUnplaced(graph: Graph): boolean {
  return graph.nodes.length > 1 && graph.nodes.every(({ x = 0, y = 0 }) => x === 0 && y === 0);
}
