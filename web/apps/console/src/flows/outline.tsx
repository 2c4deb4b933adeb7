/** The canvas as a list: every node with where it leads, for keyboards, screen readers and small screens. */
import { useTranslation } from 'react-i18next';
import type { FlowNode, Graph, Problem } from '../api/flows.ts';
import { Icon } from '../parts/icon.tsx';
import { useDesk } from './context.ts';
import { isStart, targetOf } from './graph.ts';
import { shownWays, waysOfNode } from './ports.ts';
import { KindSign } from './signs.tsx';
import { nodeName, summaryOf, wayName } from './words.ts';

interface OutlineProps {
  readonly graph: Graph;
  readonly problems: ReadonlyMap<string, readonly Problem[]>;
  readonly selected: ReadonlySet<string>;
  readonly onShow: (node: string) => void;
}

export function Outline({ graph, problems, selected, onShow }: OutlineProps) {
  const { t, i18n } = useTranslation('flows');
  const { names } = useDesk();
  if (graph.nodes.length === 0)
    return <p className="flow-panel-body field-hint">{t('outline.empty')}</p>;
  return (
    <div>
      <p className="flow-outline-lead field-hint">{t('outline.lead')}</p>
      <ol className="flow-outline">
        {walked(graph).map((node) => (
          <li key={node.id}>
            <button
              type="button"
              className="flow-outline-node"
              aria-pressed={selected.has(node.id)}
              onClick={() => onShow(node.id)}
            >
              <KindSign kind={node.kind} size={22} />
              <b className="clip">{nodeName(node, i18n.language)}</b>
              {problems.has(node.id) && (
                <span className="flow-step-alert">
                  <Icon name="alert" size={14} />
                  <span className="hidden-text">
                    {t('canvas.problems', { count: problems.get(node.id)?.length ?? 0 })}
                  </span>
                </span>
              )}
              <span className="clip flow-outline-text">
                {summaryOf(node, names, i18n.language)}
              </span>
            </button>
            <Leads node={node} graph={graph} />
          </li>
        ))}
      </ol>
    </div>
  );
}

function Leads({ node, graph }: { node: FlowNode; graph: Graph }) {
  const { t, i18n } = useTranslation('flows');
  const { kinds } = useDesk();
  const ways = shownWays(
    waysOfNode(kinds, node),
    (port) => targetOf(graph, node.id, port) !== undefined,
    false,
  );
  if (ways.length === 0) return null;
  return (
    <ul className="flow-outline-ways">
      {ways.map((way) => {
        const target = targetOf(graph, node.id, way.name);
        const name = wayName(node.kind, way, i18n.language);
        if (target === undefined) {
          return (
            <li key={way.name} className="flow-outline-open">
              {t('outline.nowhere', { way: name })}
            </li>
          );
        }
        const to = nodeName(
          graph.nodes.find(({ id }) => id === target),
          i18n.language,
        );
        return <li key={way.name}>{t('outline.to', { way: name, to })}</li>;
      })}
    </ul>
  );
}

/** In the order in which one comes to them from the start; what nothing leads to comes last. */
export function walked(graph: Graph): readonly FlowNode[] {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  const next = new Map<string, string[]>();
  for (const { source, target } of graph.edges)
    next.set(source, [...(next.get(source) ?? []), target]);
  const seen = new Set<string>();
  const todo = [...graph.nodes.filter(isStart).map(({ id }) => id)];
  for (let at = 0; at < todo.length; at += 1) {
    const id = todo[at];
    if (id === undefined || seen.has(id) || !nodes.has(id)) continue;
    seen.add(id);
    todo.push(...(next.get(id) ?? []));
  }
  const order = [...seen, ...nodes.keys()];
  return [...new Set(order)].flatMap((id) => nodes.get(id) ?? []);
}
