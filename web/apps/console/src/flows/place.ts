/** Places for nodes: all of them anew, or one more beside those that are there. */
import type { FlowNode, Graph } from '../api/flows.ts';
import { roughSize } from './drawn.ts';
import { moveNodes, type Place } from './graph.ts';
import { arrange, type Size } from './layout.ts';
import type { Kinds } from './ports.ts';

const STEP_X = 308;
const STEP_Y = 140;

/** `measured`: how large those are that have been drawn. */
export function placed(
  graph: Graph,
  kinds: Kinds,
  measured: (id: string) => Size | undefined = () => undefined,
): Graph {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  const sizeOf = (id: string): Size => {
    const node = nodes.get(id);
    return measured(id) ?? (node === undefined ? { width: 0, height: 0 } : roughSize(kinds, node));
  };
  return moveNodes(graph, arrange(graph, sizeOf));
}

/** Right of `node`, below whatever stands there. */
export function beside(graph: Graph, node: FlowNode): Place {
  let place = { x: (node.x ?? 0) + STEP_X, y: node.y ?? 0 };
  const isTaken = ({ x, y }: Place) =>
    graph.nodes.some(
      (other) =>
        Math.abs((other.x ?? 0) - x) < STEP_X - 60 && Math.abs((other.y ?? 0) - y) < STEP_Y - 20,
    );
  while (isTaken(place)) place = { x: place.x, y: place.y + STEP_Y };
  return place;
}
