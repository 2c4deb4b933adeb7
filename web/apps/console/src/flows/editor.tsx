/**
 * One flow, drawn. Owns what is shown beside the canvas and what the keys do; the drawing is `editing.ts`'s, the draft
 * on the server `saving.ts`'s.
 */
import { ReactFlowProvider } from '@xyflow/react';
import { type Dispatch, type SetStateAction, useMemo, useState } from 'react';
import type { FlowDrawing, FlowInfo, FlowKinds } from '../api/flows.ts';
import { Fault } from '../parts/fault.tsx';
import { useIsPhone } from '../shell/width.ts';
import { DeskProvider } from './context.ts';
import { isUnplaced } from './layout.ts';
import type { Panel } from './panel.tsx';
import { placed } from './place.ts';
import { kindsOf } from './ports.ts';
import { useDrawing, useFlows, useKinds, useNames } from './queries.ts';
import { Table } from './table.tsx';
import './canvas.css';
import './forms.css';
import './sides.css';
import './try.css';

export function Editor({ flow }: { flow: string }) {
  const kinds = useKinds();
  const flows = useFlows();
  const drawing = useDrawing(flow, 0);
  const isPhone = useIsPhone();
  const [panel, setPanel] = useState<Panel | null>(isPhone ? null : 'node');
  const error = drawing.error ?? kinds.error ?? flows.error;
  const info = flows.data?.find(({ id }) => id === flow);
  if (error !== null && (drawing.data === undefined || kinds.data === undefined)) {
    const again = () => void Promise.all([drawing.refetch(), kinds.refetch(), flows.refetch()]);
    return (
      <main className="back-page">
        <Fault error={error} retry={again} />
      </main>
    );
  }
  if (drawing.data === undefined || kinds.data === undefined || info === undefined) {
    return (
      <main className="flow-editor" aria-busy="true">
        <div className="flow-bar">
          <span className="bone" style={{ width: 220, height: 24 }} />
        </div>
        <div className="flow-bones">
          {[0, 1, 2, 3].map((number) => (
            <span key={number} className="bone" />
          ))}
        </div>
      </main>
    );
  }
  const again = async () => {
    await Promise.all([drawing.refetch(), flows.refetch()]);
  };
  return (
    <Opened
      // What came back from the server is another drawing, with a history of its own.
      key={`${drawing.data.version} ${drawing.data.updated} ${drawing.data.status}`}
      drawing={drawing.data}
      info={info}
      told={kinds.data}
      panel={panel}
      setPanel={setPanel}
      onAgain={again}
    />
  );
}

interface OpenedProps {
  readonly drawing: FlowDrawing;
  readonly info: FlowInfo;
  readonly told: FlowKinds;
  readonly panel: Panel | null;
  readonly setPanel: Dispatch<SetStateAction<Panel | null>>;
  readonly onAgain: () => Promise<void>;
}

function Opened({ drawing, told, ...rest }: OpenedProps) {
  const isPhone = useIsPhone();
  const names = useNames();
  const kinds = useMemo(() => kindsOf(told.kinds), [told]);
  const desk = useMemo(
    () => ({ kinds, names, flow: drawing.id, isReadOnly: isPhone }),
    [kinds, names, drawing.id, isPhone],
  );
  // Drawings that were written by hand have no places.
  const start = useMemo(
    () => (isUnplaced(drawing.graph) ? placed(drawing.graph, kinds) : drawing.graph),
    [drawing.graph, kinds],
  );
  return (
    <DeskProvider value={desk}>
      <ReactFlowProvider>
        <Table drawing={drawing} start={start} most={told.most_nodes} {...rest} />
      </ReactFlowProvider>
    </DeskProvider>
  );
}
