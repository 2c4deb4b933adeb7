/** Everything that is to mend, the errors first; each leads to its node. Owns no judgement: the server checks. */
import { useTranslation } from 'react-i18next';
import type { Graph, Problem } from '../api/flows.ts';
import { Icon } from '../parts/icon.tsx';
import { isError, tell } from './problems.ts';
import { KindSign } from './signs.tsx';
import { nodeName } from './words.ts';

interface FindingsProps {
  readonly graph: Graph;
  /** None yet: it is being checked. */
  readonly problems: readonly Problem[] | undefined;
  readonly onShow: (node: string) => void;
}

export function Findings({ graph, problems, onShow }: FindingsProps) {
  const { t, i18n } = useTranslation('flows');
  if (problems === undefined) {
    return <p className="flow-panel-body field-hint">{t('findings.checking')}</p>;
  }
  if (problems.length === 0) {
    return (
      <div className="flow-panel-body">
        <div className="flow-good">
          <Icon name="check" size={18} />
          <div>
            <b>{t('findings.none')}</b>
            <p>{t('findings.none_text')}</p>
          </div>
        </div>
      </div>
    );
  }
  const ordered = [...problems].sort((a, b) => Number(isError(b)) - Number(isError(a)));
  return (
    <ol className="flow-findings">
      {ordered.map((problem) => {
        const { text, mend } = tell(problem, graph, i18n.language);
        const node = graph.nodes.find(({ id }) => id === problem.node);
        const isBad = isError(problem);
        return (
          <li key={`${problem.node}${problem.code}${problem.text}`}>
            <button type="button" className="flow-finding" onClick={() => onShow(node?.id ?? '')}>
              {node === undefined ? (
                <span className="flow-sign flow-sign-grey flow-finding-sign">
                  <Icon name="alert" size={15} />
                </span>
              ) : (
                <KindSign kind={node.kind} />
              )}
              <span>
                <span className="flow-finding-head">
                  <b className="clip">
                    {node === undefined ? t('findings.whole') : nodeName(node, i18n.language)}
                  </b>
                  <span className={isBad ? 'flow-chip flow-chip-bad' : 'flow-chip flow-chip-hint'}>
                    {t(isBad ? 'findings.error' : 'findings.warning')}
                  </span>
                </span>
                <span className="flow-finding-text">{text}</span>
                {mend !== '' && <span className="flow-mend">{mend}</span>}
              </span>
            </button>
          </li>
        );
      })}
    </ol>
  );
}
