/** One node on the canvas: sign, title, what it is set to, its ways out as handles, what is to mend, what a try lit up. */
import { Handle, type Node, type NodeProps, Position, useUpdateNodeInternals } from '@xyflow/react';
import { memo, useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import type { FlowNode, Problem } from '../api/flows.ts';
import { Icon } from '../parts/icon.tsx';
import { useDesk } from './context.ts';
import { isStart } from './graph.ts';
import type { Mark } from './marks.ts';
import { shownWays, waysOfNode } from './ports.ts';
import { isError } from './problems.ts';
import { KindSign } from './signs.tsx';
import { kindName, nodeName, summaryOf, wayName } from './words.ts';

export const INTO = 'in';
export const WIDTH = 224;

export interface StepData extends Record<string, unknown> {
  readonly node: FlowNode;
  /** Ways out that lead somewhere. */
  readonly drawn: ReadonlySet<string>;
  readonly problems: readonly Problem[];
  readonly mark: Mark | undefined;
  readonly isWaiting: boolean;
  /** Changes whenever any of the above does. */
  readonly sign: string;
}

export type StepNode = Node<StepData, 'step'>;

export const Step = memo(function Step({ id, data, selected }: NodeProps<StepNode>) {
  const { t, i18n } = useTranslation('flows');
  const { kinds, names } = useDesk();
  const { node, drawn, problems, mark, isWaiting } = data;
  const renew = useUpdateNodeInternals();
  const ways = shownWays(waysOfNode(kinds, node), (port) => drawn.has(port), selected === true);
  const shown = ways.map(({ name }) => name).join(' ');
  const measured = useRef(shown);
  useEffect(() => {
    // As it was first drawn it has been measured already.
    if (measured.current !== shown) renew(id);
    measured.current = shown;
  }, [shown, id, renew]);
  const title = nodeName(node, i18n.language);
  const summary = summaryOf(node, names, i18n.language);
  const kind = kindName(node.kind);
  return (
    <div className={classOf(mark !== undefined, problems, isWaiting)}>
      {!isStart(node) && (
        <Handle
          type="target"
          id={INTO}
          position={Position.Left}
          className="flow-handle flow-handle-in"
          title={t('canvas.into', { title })}
        />
      )}
      <div className="flow-step-head">
        <KindSign kind={node.kind} />
        <b className="clip" title={title}>
          {title}
        </b>
        {mark !== undefined && <span className="flow-step-ms">{span(mark.ms)}</span>}
        {problems.length > 0 && (
          <span
            className="flow-step-alert"
            title={t('canvas.problems', { count: problems.length })}
          >
            <Icon name="alert" size={15} />
            <span className="hidden-text">{t('canvas.problems', { count: problems.length })}</span>
          </span>
        )}
      </div>
      {title !== kind && <p className="flow-step-kind clip">{kind}</p>}
      {summary !== '' && <p className="flow-step-summary">{summary}</p>}
      {ways.length > 0 && (
        <ul className="flow-ways">
          {ways.map((way) => {
            const name = wayName(node.kind, way, i18n.language);
            const isTaken = mark?.ports.includes(way.name) === true;
            const isOpen = way.must && !drawn.has(way.name);
            return (
              <li
                key={way.name}
                className={`flow-way${isTaken ? ' flow-way-taken' : ''}${way.must ? '' : ' flow-way-spare'}${isOpen ? ' flow-way-open' : ''}`}
              >
                <span className="clip" title={name}>
                  {name}
                </span>
                <Handle
                  type="source"
                  id={way.name}
                  position={Position.Right}
                  className="flow-handle"
                  title={t('canvas.way', { way: name, title })}
                />
              </li>
            );
          })}
        </ul>
      )}
    </div>
  );
});

function classOf(isLit: boolean, problems: readonly Problem[], isWaiting: boolean): string {
  const level = problems.some(isError)
    ? ' flow-step-bad'
    : problems.length > 0
      ? ' flow-step-hint'
      : '';
  return `flow-step${level}${isLit ? ' flow-step-lit' : ''}${isWaiting ? ' flow-step-waits' : ''}`;
}

export function span(ms: number): string {
  return ms < 10 ? `${Math.round(ms * 10) / 10} ms` : `${Math.round(ms)} ms`;
}
