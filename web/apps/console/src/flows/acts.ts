/**
 * What can be done to a drawing as a whole: add, copy, paste, remove, put in order, replace by a file. Owns where new
 * things come to lie; every change goes out as an edit.
 */
import { useReactFlow } from '@xyflow/react';
import { useTranslation } from 'react-i18next';
import type { Graph } from '../api/flows.ts';
import { toast } from '../parts/toast.tsx';
import { useDesk } from './context.ts';
import { newSettings, readFlowFile } from './defaults.ts';
import type { Change } from './editing.ts';
import {
  addNode,
  connect,
  isStart,
  nodeOf,
  type Place,
  partOf,
  paste,
  readPart,
  removeNodes,
} from './graph.ts';
import { beside, placed } from './place.ts';
import { openWay } from './ports.ts';

const NOTHING: ReadonlySet<string> = new Set();

interface ActsOn {
  readonly graph: Graph;
  /** So many nodes a drawing may have. */
  readonly most: number;
  readonly selected: ReadonlySet<string>;
  readonly onEdit: (change: Change, what?: string) => void;
  readonly onSelect: (ids: ReadonlySet<string>) => void;
  readonly onAdded: () => void;
}

export function useActs({ graph, most, selected, onEdit, onSelect, onAdded }: ActsOn) {
  const { t } = useTranslation('flows');
  const { kinds } = useDesk();
  const flow = useReactFlow();

  const hasRoom = (more: number): boolean => {
    if (graph.nodes.length + more <= most) return true;
    toast({ text: t('canvas.too_many', { most }), tone: 'fault' });
    return false;
  };

  const middle = (): Place => {
    const box = document.querySelector('.flow-canvas')?.getBoundingClientRect();
    if (box === undefined) return { x: 0, y: 0 };
    const at = flow.screenToFlowPosition({ x: box.x + box.width / 2, y: box.y + box.height / 2 });
    return { x: at.x - 112, y: at.y - 40 };
  };

  /** A node that was added beside the view is followed; one within it moves nothing. */
  const bringInView = (at: Place) => {
    const box = document.querySelector('.flow-canvas')?.getBoundingClientRect();
    const corner = flow.flowToScreenPosition({ x: at.x + 224, y: at.y + 120 });
    const begin = flow.flowToScreenPosition(at);
    if (
      box === undefined ||
      (begin.x > box.left && corner.x < box.right && begin.y > box.top && corner.y < box.bottom)
    )
      return;
    void flow.setCenter(at.x + 112, at.y + 60, { zoom: flow.getZoom() });
  };

  /** `after`: the node whose open way leads to the new one. */
  const add = (kindOf: string, at: Place, after?: string) => {
    const kind = kinds.get(kindOf);
    if (kind === undefined || !hasRoom(1)) return;
    if (kindOf === 'start' && graph.nodes.some(isStart)) return;
    const made = addNode(graph, kindOf, newSettings(kind), at);
    const from = after === undefined ? undefined : nodeOf(graph, after);
    const port = from && openWay(kinds, graph, from);
    onEdit(() =>
      from === undefined || port === undefined
        ? made.graph
        : connect(made.graph, { source: from.id, port, target: made.id }),
    );
    onSelect(new Set([made.id]));
    bringInView(at);
    onAdded();
  };
  const addBehind = (kind: string) => {
    const [only] = selected;
    const node = selected.size === 1 && only !== undefined ? nodeOf(graph, only) : undefined;
    add(kind, node === undefined ? middle() : beside(graph, node), node?.id);
  };

  const remove = () => {
    if (selected.size === 0) return;
    onEdit((now) => removeNodes(now, selected));
    onSelect(NOTHING);
  };
  const put = (text: string, at: Place): boolean => {
    const part = readPart(text);
    if (part === undefined) return false;
    if (!hasRoom(part.nodes.length)) return true;
    const { graph: next, ids } = paste(graph, part, at);
    onEdit(() => next);
    onSelect(new Set(ids));
    return true;
  };
  const copied = (): string | undefined => {
    const part = partOf(graph, selected);
    if (part.nodes.length === 0) return undefined;
    toast({ text: t('canvas.copied', { count: part.nodes.length }) });
    return JSON.stringify(part);
  };
  const duplicate = () => {
    const part = partOf(graph, selected);
    if (part.nodes.length === 0) return;
    const left = Math.min(...part.nodes.map(({ x = 0 }) => x));
    const top = Math.min(...part.nodes.map(({ y = 0 }) => y));
    put(JSON.stringify(part), { x: left + 40, y: top + 40 });
  };
  const arrangeAll = () => {
    onEdit((now) =>
      placed(now, kinds, (id) => {
        const { width, height } = flow.getNode(id)?.measured ?? {};
        return width === undefined || height === undefined ? undefined : { width, height };
      }),
    );
    requestAnimationFrame(() => void flow.fitView({ padding: 0.16, maxZoom: 1 }));
  };

  const importFile = async (file: File | undefined) => {
    if (file === undefined) return;
    const read = readFlowFile(await file.text());
    if (typeof read === 'string') {
      toast({ text: t('list.import_failed', { why: t(`list.${read}`) }), tone: 'fault' });
      return;
    }
    onEdit(() => ({ ...graph, ...read }));
    onSelect(NOTHING);
    requestAnimationFrame(() => void flow.fitView({ padding: 0.16, maxZoom: 1 }));
  };

  return { middle, add, addBehind, remove, put, copied, duplicate, arrangeAll, importFile };
}
