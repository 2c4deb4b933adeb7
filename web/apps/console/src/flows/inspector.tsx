/** What is selected: its name, its settings, where its ways lead, what is wrong with it. Every change goes out as an edit. */
import { Button } from 'antd';
import { type ReactNode, useId } from 'react';
import { useTranslation } from 'react-i18next';
import type { FlowNode, Graph, Problem, Settings } from '../api/flows.ts';
import { Icon } from '../parts/icon.tsx';
import { useDesk } from './context.ts';
import type { Change } from './editing.ts';
import { Form } from './form.tsx';
import { connect, disconnect, isStart, setSettings, setTitle, targetOf } from './graph.ts';
import { waysOf, waysOfNode } from './ports.ts';
import { fieldOf, isError, portOf, tell } from './problems.ts';
import { KindSign } from './signs.tsx';
import { TextsBox } from './texts.tsx';
import { kindAbout, kindName, nodeName, wayName } from './words.ts';

interface InspectorProps {
  readonly graph: Graph;
  readonly selected: ReadonlySet<string>;
  readonly problems: ReadonlyMap<string, readonly Problem[]>;
  readonly onEdit: (change: Change, what?: string) => void;
  readonly onRemove: () => void;
  readonly onDuplicate: () => void;
}

export function Inspector(props: InspectorProps) {
  const { t } = useTranslation('flows');
  const { graph, selected } = props;
  const [only] = selected;
  const node = graph.nodes.find(({ id }) => id === only);
  if (selected.size > 1) {
    return (
      <div className="flow-panel-body">
        <h2 className="flow-panel-title">{t('inspector.many', { count: selected.size })}</h2>
        <p className="field-hint">{t('inspector.many_text')}</p>
        <Actions {...props} />
      </div>
    );
  }
  if (node === undefined) return <Whole {...props} />;
  return <OfNode key={node.id} {...props} node={node} />;
}

/** Nothing is selected: what belongs to the whole flow. */
function Whole({ graph, onEdit }: InspectorProps) {
  const { t } = useTranslation('flows');
  const { isReadOnly } = useDesk();
  return (
    <div className="flow-panel-body">
      <div className="flow-quiet-note">
        <b>{t('inspector.none')}</b>
        <p>{t('inspector.none_text')}</p>
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be laid out as a grid everywhere */}
      <div className="flow-field" role="group" aria-label={t('bar.fallback')}>
        <span className="flow-label">{t('bar.fallback')}</span>
        <TextsBox
          id="flow-fallback"
          label={t('bar.fallback')}
          value={graph.fallback}
          isBad={(graph.fallback['zh-CN'] ?? '').trim() === ''}
          describedBy={undefined}
          isOff={isReadOnly}
          isShort={false}
          onChange={(fallback) => onEdit((now) => ({ ...now, fallback }), 'fallback')}
        />
      </div>
    </div>
  );
}

function Actions({ graph, selected, onRemove, onDuplicate }: InspectorProps) {
  const { t } = useTranslation('flows');
  const { isReadOnly } = useDesk();
  const isOnlyStart = graph.nodes.every((node) => !selected.has(node.id) || isStart(node));
  if (isReadOnly) return null;
  return (
    <div className="flow-actions">
      {!isOnlyStart && (
        <Button size="small" icon={<Icon name="copy" size={14} />} onClick={onDuplicate}>
          {t('inspector.duplicate')}
        </Button>
      )}
      <Button size="small" danger icon={<Icon name="close" size={14} />} onClick={onRemove}>
        {t('inspector.remove')}
      </Button>
    </div>
  );
}

function OfNode(props: InspectorProps & { node: FlowNode }) {
  const { node, graph, problems, onEdit } = props;
  const { t, i18n } = useTranslation('flows');
  const { kinds, isReadOnly } = useDesk();
  const kind = kinds.get(node.kind);
  const settings = node.settings ?? {};
  const found = problems.get(node.id) ?? [];
  const title = nodeName(node, i18n.language);
  const byField = new Map<string, Problem[]>();
  const rest: Problem[] = [];
  for (const problem of found) {
    const field = kind && fieldOf(problem, kind.fields);
    if (field !== undefined) byField.set(field, [...(byField.get(field) ?? []), problem]);
    else if (portOf(problem) === undefined) rest.push(problem);
  }
  const faults = new Map<string, ReactNode>(
    [...byField].map(([field, some]) => [
      field,
      <Sentences key={field} problems={some} graph={graph} />,
    ]),
  );
  const change = (next: Settings, field: string) => {
    const ports = new Set(waysOf(kind, next).map(({ name }) => name));
    onEdit((now) => setSettings(now, node.id, next, ports), `${node.id}.${field}`);
  };
  return (
    <div className="flow-panel-body">
      <header className="flow-node-head">
        <KindSign kind={node.kind} size={30} />
        <div>
          <h2 className="flow-panel-title">{title}</h2>
          <p className="field-hint">{kindAbout(node.kind, kind?.about ?? '')}</p>
        </div>
      </header>
      {rest.length > 0 && (
        <div className="flow-faults" role="status">
          <Sentences problems={rest} graph={graph} />
        </div>
      )}
      {kind === undefined ? (
        <div className="flow-faults">
          <b>{t('inspector.unknown', { kind: node.kind })}</b>
          <p>{t('inspector.unknown_text')}</p>
        </div>
      ) : (
        <Form
          within={node.kind}
          kind={node.kind}
          fields={kind.fields}
          settings={settings}
          faults={faults}
          onChange={change}
        />
      )}
      <Ways {...props} />
      <details className="flow-seldom">
        <summary>{t('inspector.title')}</summary>
        {/* biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be laid out as a grid everywhere */}
        <div className="flow-field" role="group" aria-label={t('inspector.title')}>
          <TextsBox
            id={`title-${node.id}`}
            label={t('inspector.title')}
            value={node.title ?? {}}
            isBad={false}
            describedBy={undefined}
            isOff={isReadOnly}
            isShort
            onChange={(texts) => onEdit((now) => setTitle(now, node.id, texts), `${node.id}.title`)}
          />
          <p className="field-hint">{t('inspector.title_hint')}</p>
        </div>
      </details>
      <Actions {...props} />
    </div>
  );
}

function Sentences({ problems, graph }: { problems: readonly Problem[]; graph: Graph }) {
  const { i18n } = useTranslation('flows');
  return problems.map((problem) => {
    const { text, mend } = tell(problem, graph, i18n.language);
    return (
      <p key={`${problem.code}${problem.text}`} className={isError(problem) ? '' : 'flow-hint'}>
        {text} <span className="flow-mend">{mend}</span>
      </p>
    );
  });
}

/** Where each way leads: connecting without a pointer. */
function Ways({ node, graph, problems, onEdit }: InspectorProps & { node: FlowNode }) {
  const { t, i18n } = useTranslation('flows');
  const { kinds, isReadOnly } = useDesk();
  const id = useId();
  const ways = waysOfNode(kinds, node);
  if (ways.length === 0) return null;
  const targets = graph.nodes.filter((one) => one.id !== node.id && !isStart(one));
  const names = targets.map((one) => nodeName(one, i18n.language) || kindName(one.kind));
  // Two of the same name are told apart by their ids.
  const labelOf = (at: number) => {
    const name = names[at] ?? '';
    return names.filter((other) => other === name).length > 1
      ? `${name} (${targets[at]?.id})`
      : name;
  };
  return (
    <section className="flow-ways-form" aria-labelledby={id}>
      <h3 id={id}>{t('inspector.ways')}</h3>
      <p className="field-hint">{t('inspector.ways_hint')}</p>
      {ways.map((way) => {
        const target = targetOf(graph, node.id, way.name);
        const wrong = problems.get(node.id)?.find((problem) => portOf(problem) === way.name);
        const field = `${id}-${way.name}`;
        const told = wrong && tell(wrong, graph, i18n.language);
        return (
          <div key={way.name} className="flow-way-row">
            <label htmlFor={field} className="clip" title={wayName(node.kind, way, i18n.language)}>
              {wayName(node.kind, way, i18n.language)}
            </label>
            <select
              id={field}
              className={wrong === undefined ? 'flow-select' : 'flow-select flow-select-bad'}
              value={target ?? ''}
              disabled={isReadOnly}
              aria-invalid={wrong !== undefined}
              {...(told === undefined ? {} : { 'aria-describedby': `${field}-about` })}
              onChange={(event) => {
                const next = event.target.value;
                const edge = { source: node.id, port: way.name, target: next };
                onEdit((now) =>
                  next === '' ? disconnect(now, node.id, way.name) : connect(now, edge),
                );
              }}
            >
              <option value="">{t(way.must ? 'inspector.nowhere' : 'inspector.optional')}</option>
              {targets.map((one, at) => (
                <option key={one.id} value={one.id}>
                  {labelOf(at)}
                </option>
              ))}
            </select>
            {told !== undefined && (
              <p id={`${field}-about`} className="field-fault">
                {told.text} <span className="flow-mend">{told.mend}</span>
              </p>
            )}
          </div>
        );
      })}
    </section>
  );
}
