/**
 * The drawing surface: pan, zoom, move, connect, drop. Owns what is selected and dragged at this moment; every change
 * of the drawing itself goes out as an edit.
 */
import {
  applyEdgeChanges,
  applyNodeChanges,
  Background,
  BackgroundVariant,
  type Connection,
  type Edge,
  MiniMap,
  type NodeChange,
  ReactFlow,
  useReactFlow,
} from '@xyflow/react';
import '@xyflow/react/dist/base.css';
import { type DragEvent, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { FlowEdge, FlowNode, Graph, Problem } from '../api/flows.ts';
import { useDesk } from './context.ts';
import { edgesOf, nodesOf } from './drawn.ts';
import type { Change } from './editing.ts';
import { connect, disconnect, mayConnect, moveNodes, type Place, removeNodes } from './graph.ts';
import type { Marks } from './marks.ts';
import { Step, type StepNode } from './node.tsx';
import { lookOf } from './signs.tsx';
import { kindName, nodeName } from './words.ts';

export const DRAGGED = 'application/x-qingniao-node';
const TYPES = { step: Step };
const FIT = { padding: 0.16, maxZoom: 1 };

interface CanvasProps {
  readonly graph: Graph;
  readonly problems: ReadonlyMap<string, readonly Problem[]>;
  readonly marks: Marks | undefined;
  readonly selected: ReadonlySet<string>;
  readonly hasMap: boolean;
  readonly onEdit: (change: Change, what?: string) => void;
  readonly onSelect: (ids: ReadonlySet<string>) => void;
  readonly onDropped: (kind: string, at: Place) => void;
  readonly onOpen: (id: string) => void;
}

export function Canvas(props: CanvasProps) {
  const { graph, problems, marks, selected, hasMap, onEdit, onSelect, onDropped, onOpen } = props;
  const { t, i18n } = useTranslation('flows');
  const { isReadOnly } = useDesk();
  const flow = useReactFlow();
  const around = useMemo(
    () => ({
      problems,
      marks,
      labelOf: (node: FlowNode) =>
        t('canvas.node', { kind: kindName(node.kind), title: nodeName(node, i18n.language) }),
    }),
    [problems, marks, t, i18n.language],
  );
  const lines = useCallback(
    (before: readonly Edge[]) =>
      edgesOf(before, graph, marks, i18n.language, (from, way, to) =>
        t('canvas.edge', { from, way, to }),
      ),
    [graph, marks, t, i18n.language],
  );
  const [nodes, setNodes] = useState(() => nodesOf([], graph, around));
  const [edges, setEdges] = useState(() => lines([]));
  // On an empty canvas the first node stays where it is put.
  const [wasDrawn] = useState(graph.nodes.length > 0);
  const latest = useRef(graph);
  latest.current = graph;

  useEffect(() => setNodes((held) => nodesOf(held, graph, around)), [graph, around]);
  useEffect(() => setEdges(lines), [lines]);
  useEffect(() => {
    setNodes((held) =>
      held.some((node) => (node.selected === true) !== selected.has(node.id))
        ? held.map((node) =>
            (node.selected === true) === selected.has(node.id)
              ? node
              : { ...node, selected: selected.has(node.id) },
          )
        : held,
    );
  }, [selected]);

  const changed = useCallback(
    (changes: NodeChange<StepNode>[]) => {
      setNodes((held) => applyNodeChanges(changes, held));
      // While it is dragged it is only shown there; where it is let go is an edit.
      const places = new Map(
        changes.flatMap((change) =>
          change.type === 'position' && change.dragging !== true && change.position !== undefined
            ? [[change.id, change.position] as const]
            : [],
        ),
      );
      if (places.size > 0) onEdit((now) => moveNodes(now, places), 'move');
    },
    [onEdit],
  );

  // Always the same function: React Flow calls a new one at once, with what was selected before.
  const now = useRef({ selected, onSelect });
  now.current = { selected, onSelect };
  const chose = useCallback(({ nodes: chosen }: { nodes: StepNode[] }) => {
    const ids = new Set(chosen.map(({ id }) => id));
    const held = now.current.selected;
    if (ids.size !== held.size || [...ids].some((id) => !held.has(id))) now.current.onSelect(ids);
  }, []);

  const link = ({ source, sourceHandle, target }: Connection | Edge): FlowEdge => ({
    source,
    port: sourceHandle ?? '',
    target,
  });

  const drop = (event: DragEvent) => {
    const kind = event.dataTransfer.getData(DRAGGED);
    if (kind === '') return;
    event.preventDefault();
    const at = flow.screenToFlowPosition({ x: event.clientX, y: event.clientY });
    onDropped(kind, { x: at.x - 100, y: at.y - 24 });
  };

  return (
    <ReactFlow<StepNode>
      className="flow-canvas"
      aria-label={t('canvas.label')}
      nodes={nodes}
      edges={edges}
      nodeTypes={TYPES}
      onNodesChange={changed}
      onEdgesChange={(changes) => setEdges((held) => applyEdgeChanges(changes, held))}
      onSelectionChange={chose}
      onConnect={(connection) => onEdit((now) => connect(now, link(connection)))}
      onConnectEnd={(event, { isValid, fromHandle, fromNode }) => {
        // Let go over a node instead of its dot: that is clear enough.
        if (isValid === true || fromHandle?.type !== 'source' || fromNode === null) return;
        const point = 'changedTouches' in event ? event.changedTouches[0] : event;
        if (point === undefined) return;
        const under = document.elementFromPoint(point.clientX, point.clientY);
        const target = under?.closest('.react-flow__node')?.getAttribute('data-id');
        const port = fromHandle.id ?? '';
        if (target != null) onEdit((now) => connect(now, { source: fromNode.id, port, target }));
      }}
      onReconnect={(old, connection) =>
        onEdit((now) =>
          connect(disconnect(now, old.source, old.sourceHandle ?? ''), link(connection)),
        )
      }
      isValidConnection={(connection) => mayConnect(latest.current, link(connection))}
      onBeforeDelete={({ nodes: gone, edges: cut }) => {
        const ids = new Set(gone.map(({ id }) => id));
        if (!isReadOnly)
          onEdit((now) =>
            removeNodes(
              cut
                .filter(({ source, target }) => !ids.has(source) && !ids.has(target))
                .reduce(
                  (held, edge) => disconnect(held, edge.source, edge.sourceHandle ?? ''),
                  now,
                ),
              ids,
            ),
          );
        return Promise.resolve(false);
      }}
      onNodeDoubleClick={(_event, node) => onOpen(node.id)}
      onDragOver={(event) => {
        if (!event.dataTransfer.types.includes(DRAGGED)) return;
        event.preventDefault();
        event.dataTransfer.dropEffect = 'copy';
      }}
      onDrop={drop}
      nodesDraggable={!isReadOnly}
      nodesConnectable={!isReadOnly}
      edgesReconnectable={!isReadOnly}
      deleteKeyCode={isReadOnly ? null : DELETE_KEYS}
      connectionRadius={36}
      minZoom={0.08}
      maxZoom={1.8}
      snapToGrid
      snapGrid={GRID}
      fitView={wasDrawn}
      fitViewOptions={FIT}
      proOptions={PRO}
    >
      <Background variant={BackgroundVariant.Dots} gap={20} size={1.4} className="flow-dots" />
      {hasMap && (
        <MiniMap<StepNode>
          pannable
          zoomable
          ariaLabel={t('canvas.map')}
          className="flow-map"
          nodeClassName={(node) => `flow-map-${lookOf(node.data.node.kind).tone}`}
          nodeBorderRadius={10}
        />
      )}
    </ReactFlow>
  );
}

const DELETE_KEYS = ['Delete', 'Backspace'];
const GRID: [number, number] = [4, 4];
/** The library is under the MIT licence, which the ledger of dependencies names; the corner stays free. */
const PRO = { hideAttribution: true };
