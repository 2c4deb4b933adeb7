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
import { useActs } from './acts.ts';
import { Bar } from './bar.tsx';
import { Canvas } from './canvas.tsx';
import { useHands } from './clipboard.ts';
import { Conflict } from './conflict.tsx';
import { useDesk } from './context.ts';
import { useEditing } from './editing.ts';
import { Findings } from './findings.tsx';
import { isStart, nodeOf } from './graph.ts';
import { Inspector } from './inspector.tsx';
import type { Marks } from './marks.ts';
import { Outline } from './outline.tsx';
import { Palette } from './palette.tsx';
import { type Panel, Side } from './panel.tsx';
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
  const { isReadOnly } = useDesk();
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

  const { middle, add, addBehind, remove, put, copied, duplicate, arrangeAll, importFile } =
    useActs({
      graph,
      most,
      selected,
      onEdit: edit,
      onSelect: setSelected,
      onAdded: () =>
        setPanel((held) =>
          held === null || held === 'versions' || held === 'outline' ? 'node' : held,
        ),
    });
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
