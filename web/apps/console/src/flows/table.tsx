/** The canvas with everything around it. Owns the selection and which panel is open; puts the parts together. */
import { useReactFlow } from '@xyflow/react';
import { Modal } from 'antd';
import {
  type Dispatch,
  type SetStateAction,
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import { useTranslation } from 'react-i18next';
import type { FlowDrawing, FlowInfo, Graph } from '../api/flows.ts';
import { Icon } from '../parts/icon.tsx';
import { toast } from '../parts/toast.tsx';
import { Bar } from './bar.tsx';
import { Canvas } from './canvas.tsx';
import { useHands } from './clipboard.ts';
import { Conflict } from './conflict.tsx';
import { useDesk } from './context.ts';
import { newSettings, readFlowFile } from './defaults.ts';
import { useEditing } from './editing.ts';
import { Findings } from './findings.tsx';
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
import { Inspector } from './inspector.tsx';
import type { Marks } from './marks.ts';
import { Outline } from './outline.tsx';
import { Palette } from './palette.tsx';
import { type Panel, Side } from './panel.tsx';
import { beside, placed } from './place.ts';
import { openWay } from './ports.ts';
import { countByNode, isError } from './problems.ts';
import { useDrop, usePublish } from './publishing.ts';
import { useFirstCheck, useFlowsChanged } from './queries.ts';
import { useSaving } from './saving.ts';
import { draftOf, liveOf } from './states.ts';
import { Find, Tools } from './tools.tsx';
import { Try } from './try.tsx';
import type { Turn } from './trying.ts';
import { Versions } from './versions.tsx';
import { kindName, nodeName } from './words.ts';

interface TableProps {
  readonly drawing: FlowDrawing;
  readonly start: Graph;
  readonly info: FlowInfo;
  readonly most: number;
  readonly panel: Panel | null;
  readonly setPanel: Dispatch<SetStateAction<Panel | null>>;
  readonly onAgain: () => Promise<void>;
}

const NOTHING: ReadonlySet<string> = new Set();

export function Table(props: TableProps) {
  const { drawing, start, info, most, panel, setPanel, onAgain } = props;
  const { t, i18n } = useTranslation('flows');
  const { t: common } = useTranslation();
  const { kinds, isReadOnly } = useDesk();
  const flow = useReactFlow();
  const editing = useEditing(start);
  const { graph, edit } = editing;
  const [name, setName] = useState(drawing.name);
  const saving = useSaving({ ...drawing, graph: start }, graph, name);
  const firstCheck = useFirstCheck(drawing.id);
  const problems = saving.problems ?? firstCheck.data?.problems;
  const byNode = useMemo(() => countByNode(problems ?? []), [problems]);
  const [selected, setSelected] = useState(NOTHING);
  const [turns, setTurns] = useState<readonly Turn[]>([]);
  const [marks, setMarks] = useState<Marks>();
  const [isDropping, setDropping] = useState(false);
  const findBox = useRef<HTMLInputElement>(null);
  const fileBox = useRef<HTMLInputElement>(null);
  const changed = useFlowsChanged();
  const live = liveOf(info);
  const isEmpty = graph.nodes.length === 0;

  const publish = usePublish(drawing.id, saving);
  const drop = useDrop(drawing.id, saving, onAgain);

  // The list of versions tells what was saved, with its number and time.
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new draft is news for the list
  useEffect(() => {
    if (saving.draft !== 0 && saving.draft !== draftOf(info)?.version) void changed();
  }, [saving.draft]);

  const select = useCallback(
    (ids: ReadonlySet<string>) => {
      setSelected(ids);
      // Whoever tries or reads findings keeps them; otherwise a node shows its settings.
      if (ids.size > 0)
        setPanel((held) => (held === null ? held : held === 'versions' ? 'node' : held));
    },
    [setPanel],
  );

  const show = useCallback(
    (id: string) => {
      if (id === '') {
        setSelected(NOTHING);
        setPanel('node');
        return;
      }
      setSelected(new Set([id]));
      const calm = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
      void flow.fitView({
        nodes: [{ id }],
        padding: 1.2,
        maxZoom: Math.max(0.8, flow.getZoom()),
        duration: calm ? 0 : 180,
      });
    },
    [flow, setPanel],
  );
  const showAndSet = (id: string) => {
    show(id);
    setPanel('node');
  };

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
    edit(() =>
      from === undefined || port === undefined
        ? made.graph
        : connect(made.graph, { source: from.id, port, target: made.id }),
    );
    setSelected(new Set([made.id]));
    bringInView(at);
    setPanel((held) =>
      held === null || held === 'versions' || held === 'outline' ? 'node' : held,
    );
  };
  const addBehind = (kind: string) => {
    const [only] = selected;
    const node = selected.size === 1 && only !== undefined ? nodeOf(graph, only) : undefined;
    add(kind, node === undefined ? middle() : beside(graph, node), node?.id);
  };

  const remove = () => {
    if (selected.size === 0) return;
    edit((now) => removeNodes(now, selected));
    setSelected(NOTHING);
  };
  const put = (text: string, at: Place): boolean => {
    const part = readPart(text);
    if (part === undefined) return false;
    if (!hasRoom(part.nodes.length)) return true;
    const { graph: next, ids } = paste(graph, part, at);
    edit(() => next);
    setSelected(new Set(ids));
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
    edit((now) =>
      placed(now, kinds, (id) => {
        const { width, height } = flow.getNode(id)?.measured ?? {};
        return width === undefined || height === undefined ? undefined : { width, height };
      }),
    );
    requestAnimationFrame(() => void flow.fitView({ padding: 0.16, maxZoom: 1 }));
  };
  useHands(
    {
      copy: copied,
      cut: () => {
        const text = copied();
        if (text !== undefined) remove();
        return text;
      },
      paste: (text) => put(text, middle()),
      duplicate,
      undo: editing.undo,
      redo: editing.redo,
      all: () => setSelected(new Set(graph.nodes.map(({ id }) => id))),
      find: () => findBox.current?.focus(),
    },
    isReadOnly,
  );

  const importFile = async (file: File | undefined) => {
    if (file === undefined) return;
    const read = readFlowFile(await file.text());
    if (typeof read === 'string') {
      toast({ text: t('list.import_failed', { why: t(`list.${read}`) }), tone: 'fault' });
      return;
    }
    edit(() => ({ ...graph, ...read }));
    setSelected(NOTHING);
    requestAnimationFrame(() => void flow.fitView({ padding: 0.16, maxZoom: 1 }));
  };

  const errors = problems?.filter(isError).length ?? 0;
  return (
    <main
      className={`flow-editor${panel === null ? '' : ' flow-has-side'}${isReadOnly ? ' flow-look' : ''}`}
    >
      <Bar
        info={info}
        name={name}
        saving={saving}
        problems={problems}
        isPublishing={publish.isPending}
        isPhone={isReadOnly}
        onName={setName}
        onPanel={setPanel}
        onPublish={() => publish.mutate()}
        onImport={() => fileBox.current?.click()}
        onDrop={() => setDropping(true)}
      />
      {saving.phase === 'conflict' && (
        <Conflict
          flow={drawing.id}
          graph={graph}
          onTheirs={() => void onAgain()}
          onMine={() => void saving.overwrite()}
        />
      )}
      <div className="flow-body">
        {!isReadOnly && <Palette hasStart={graph.nodes.some(isStart)} onAdd={addBehind} />}
        <div className="flow-stage">
          <Canvas
            graph={graph}
            problems={byNode}
            marks={panel === 'try' ? marks : undefined}
            selected={selected}
            hasMap={!isReadOnly && graph.nodes.length > 8}
            onEdit={edit}
            onSelect={select}
            onDropped={(kind, at) => add(kind, at)}
            onOpen={() => setPanel('node')}
          />
          {isEmpty && (
            <div className="flow-empty">
              <b>{t('canvas.empty')}</b>
              <p>{t('canvas.empty_text')}</p>
              {!isReadOnly && (
                <button type="button" className="flow-link" onClick={() => add('start', middle())}>
                  {t('canvas.empty_start')}
                </button>
              )}
            </div>
          )}
          <Find graph={graph} box={findBox} onShow={show} />
          {isReadOnly && (
            <p className="flow-phone-note">
              <Icon name="eye" size={14} />
              {t('canvas.phone')}
            </p>
          )}
          <Tools editing={editing} onArrange={arrangeAll} />
          {panel === null && !isReadOnly && (
            <button type="button" className="flow-side-open" onClick={() => setPanel('node')}>
              {t('panel.node')}
            </button>
          )}
          {panel === null && isReadOnly && (
            <div className="flow-phone-tabs">
              <button type="button" onClick={() => setPanel('outline')}>
                {t('panel.outline')}
              </button>
              <button type="button" onClick={() => setPanel('node')}>
                {t('panel.node')}
              </button>
              <button type="button" onClick={() => setPanel('versions')}>
                {t('panel.versions')}
              </button>
            </div>
          )}
        </div>
        {panel !== null && (
          <Side shown={panel} badge={errors} onShow={setPanel} onClose={() => setPanel(null)}>
            {panel === 'node' && (
              <Inspector
                graph={graph}
                selected={selected}
                problems={byNode}
                onEdit={edit}
                onRemove={remove}
                onDuplicate={duplicate}
              />
            )}
            {panel === 'try' && (
              <Try
                graph={graph}
                turns={turns}
                onTurns={setTurns}
                onMarks={setMarks}
                onShow={show}
              />
            )}
            {panel === 'findings' && (
              <Findings graph={graph} problems={problems} onShow={showAndSet} />
            )}
            {panel === 'versions' && (
              <Versions
                info={info}
                onBack={(told) => {
                  void changed(told);
                  // Without a draft the canvas shows what is live.
                  if (saving.draft === 0) void onAgain();
                }}
              />
            )}
            {panel === 'outline' && (
              <Outline graph={graph} problems={byNode} selected={selected} onShow={show} />
            )}
          </Side>
        )}
      </div>
      <input
        ref={fileBox}
        type="file"
        accept="application/json,.json"
        hidden
        onChange={(event) => {
          void importFile(event.target.files?.[0]);
          event.target.value = '';
        }}
      />
      <Modal
        open={isDropping}
        title={t('bar.drop_title')}
        onCancel={() => setDropping(false)}
        onOk={() => {
          setDropping(false);
          drop.mutate();
        }}
        okText={t('bar.drop')}
        okButtonProps={{ danger: true }}
        cancelText={common('common.cancel')}
        closable={{ 'aria-label': common('common.close') }}
        centered
      >
        {t('bar.drop_text', { number: live?.version ?? 0 })}
      </Modal>
      <p className="hidden-text" role="status">
        {[...selected]
          .slice(0, 1)
          .map((id) => {
            const node = nodeOf(graph, id);
            return node === undefined
              ? ''
              : t('canvas.node', {
                  kind: kindName(node.kind),
                  title: nodeName(node, i18n.language),
                });
          })
          .join('')}
      </p>
    </main>
  );
}
