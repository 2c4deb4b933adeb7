/** The tools at the foot of the canvas: zoom, all of it, tidy up, undo; and above it the search for a node. */
import { useReactFlow, useStore } from '@xyflow/react';
import { type KeyboardEvent, type RefObject, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Graph } from '../api/flows.ts';
import { Icon } from '../parts/icon.tsx';
import { useDesk } from './context.ts';
import type { Editing } from './editing.ts';
import { kindName, nodeName, summaryOf } from './words.ts';

interface ToolsProps {
  readonly editing: Editing;
  readonly onArrange: () => void;
}

export function Tools({ editing, onArrange }: ToolsProps) {
  const { t } = useTranslation('flows');
  const { isReadOnly } = useDesk();
  const flow = useReactFlow();
  const zoom = useStore((state) => state.transform[2]);
  return (
    <div className="flow-tools" role="toolbar" aria-label={t('canvas.tools')}>
      <button
        type="button"
        aria-label={t('canvas.zoom_out')}
        title={t('canvas.zoom_out')}
        onClick={() => void flow.zoomOut()}
      >
        −
      </button>
      <span className="flow-zoom">{Math.round(zoom * 100)}%</span>
      <button
        type="button"
        aria-label={t('canvas.zoom_in')}
        title={t('canvas.zoom_in')}
        onClick={() => void flow.zoomIn()}
      >
        +
      </button>
      <i />
      <button type="button" onClick={() => void flow.fitView({ padding: 0.16, maxZoom: 1 })}>
        {t('canvas.fit')}
      </button>
      {!isReadOnly && (
        <>
          <button type="button" onClick={onArrange} disabled={editing.graph.nodes.length === 0}>
            {t('canvas.arrange')}
          </button>
          <i />
          <button
            type="button"
            onClick={editing.undo}
            disabled={!editing.canUndo}
            title={`${KEY}Z`}
          >
            {t('canvas.undo')}
          </button>
          <button
            type="button"
            onClick={editing.redo}
            disabled={!editing.canRedo}
            title={`⇧${KEY}Z`}
          >
            {t('canvas.redo')}
          </button>
        </>
      )}
    </div>
  );
}

const KEY = /Mac|iPhone|iPad/.test(navigator.userAgent) ? '⌘' : 'Ctrl ';

interface FindProps {
  readonly graph: Graph;
  readonly box: RefObject<HTMLInputElement | null>;
  readonly onShow: (id: string) => void;
}

export function Find({ graph, box, onShow }: FindProps) {
  const { t, i18n } = useTranslation('flows');
  const { names } = useDesk();
  const [text, setText] = useState('');
  const [at, setAt] = useState(-1);
  const found = useMemo(() => {
    const wanted = text.trim().toLowerCase();
    if (wanted === '') return [];
    return graph.nodes.filter((node) =>
      [
        node.id,
        nodeName(node, i18n.language),
        kindName(node.kind),
        summaryOf(node, names, i18n.language),
        JSON.stringify(node.settings ?? {}),
      ]
        .join(' ')
        .toLowerCase()
        .includes(wanted),
    );
  }, [graph, names, text, i18n.language]);
  const press = (event: KeyboardEvent) => {
    if (event.key === 'Escape') {
      setText('');
      box.current?.blur();
    }
    if (event.key !== 'Enter' || event.nativeEvent.isComposing || found.length === 0) return;
    event.preventDefault();
    const next = (at + (event.shiftKey ? found.length - 1 : 1)) % found.length;
    const node = found[next];
    setAt(next);
    if (node !== undefined) onShow(node.id);
  };
  return (
    <div className="flow-find">
      <Icon name="search" size={15} />
      <input
        ref={box}
        value={text}
        type="search"
        aria-label={t('canvas.find')}
        placeholder={`${t('canvas.find')}  /`}
        onChange={(event) => {
          setText(event.target.value);
          setAt(-1);
        }}
        onKeyDown={press}
      />
      {text.trim() !== '' && (
        <span role="status">
          {found.length === 0 ? t('canvas.find_none') : t('canvas.found', { count: found.length })}
        </span>
      )}
    </div>
  );
}
