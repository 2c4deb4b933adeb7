/** A talk with the draft beside the canvas: what a visitor would read, and below it which way it took, node by node. */
import { Button, Input } from 'antd';
import { type KeyboardEvent, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type FlowStep, type FlowTried, type Graph, tryFlow } from '../api/flows.ts';
import { sentence } from '../parts/fault.tsx';
import { Icon } from '../parts/icon.tsx';
import { useMe } from '../signin/session.ts';
import { useDesk } from './context.ts';
import { type Marks, marksOf } from './marks.ts';
import { span } from './node.tsx';
import { waysOfNode } from './ports.ts';
import { KindSign } from './signs.tsx';
import { costOf, optionsOf, saidBefore, sourcesOf, stateAfter, type Turn } from './trying.ts';
import { nodeName, noteOf, portName, reasonName, wayName } from './words.ts';

const LONGEST = 4_000;

interface TryProps {
  readonly graph: Graph;
  readonly turns: readonly Turn[];
  readonly onTurns: (change: (turns: readonly Turn[]) => readonly Turn[]) => void;
  readonly onMarks: (marks: Marks | undefined) => void;
  readonly onShow: (node: string) => void;
}

export function Try({ graph, turns, onTurns, onMarks, onShow }: TryProps) {
  const { t } = useTranslation('flows');
  const { t: common } = useTranslation();
  const { flow } = useDesk();
  const me = useMe();
  const [text, setText] = useState('');
  const [isAsking, setAsking] = useState(false);
  const under = useRef<AbortController | null>(null);
  const foot = useRef<HTMLDivElement>(null);
  const last = turns.at(-1);
  const told = last?.told;

  useEffect(() => () => under.current?.abort(), []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what was said last is brought into view
  useEffect(() => {
    foot.current?.scrollIntoView({ block: 'nearest' });
  }, [turns.length, told]);

  const ask = async (said: string) => {
    if (isAsking) return;
    const id = (last?.id ?? 0) + 1;
    const turn = {
      text: said,
      graph,
      state: stateAfter(turns),
      said: saidBefore(turns),
      locale: me.locale,
    };
    const control = new AbortController();
    under.current = control;
    const put = (change: Partial<Turn>) =>
      onTurns((held) => held.map((one) => (one.id === id ? { ...one, ...change } : one)));
    onTurns((held) => [...held, { id, said, told: undefined, fault: '' }]);
    setText('');
    setAsking(true);
    try {
      const answer = await tryFlow(flow, turn, control.signal);
      put({ told: answer });
      onMarks(marksOf(answer));
    } catch (cause) {
      if (!control.signal.aborted) put({ fault: sentence(cause, common) });
    } finally {
      setAsking(false);
    }
  };
  const press = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    if (text.trim() !== '') void ask(text.trim());
  };
  const restart = () => {
    under.current?.abort();
    onTurns(() => []);
    onMarks(undefined);
  };

  return (
    <div className="flow-try">
      <div className="flow-talk">
        <div className="flow-talk-log" role="log" aria-label={t('try.log')}>
          {turns.length === 0 && <Begin onAsk={(said) => void ask(said)} />}
          {turns.map((turn) => (
            <Said key={turn.id} turn={turn} />
          ))}
          {told !== undefined && <Outcome told={told} />}
          <div ref={foot} />
        </div>
        {!isAsking && optionsOf(told).length > 0 && (
          <div className="flow-options">
            {optionsOf(told).map((option) => (
              <Button key={option} size="small" onClick={() => void ask(option)}>
                {option}
              </Button>
            ))}
          </div>
        )}
        <div className="flow-talk-box">
          <Input.TextArea
            value={text}
            aria-label={t('try.placeholder')}
            placeholder={t('try.placeholder')}
            maxLength={LONGEST}
            autoSize={{ minRows: 1, maxRows: 4 }}
            onChange={(event) => setText(event.target.value)}
            onKeyDown={press}
          />
          <Button
            type="primary"
            disabled={text.trim() === ''}
            loading={isAsking}
            onClick={() => void ask(text.trim())}
          >
            {t('try.send')}
          </Button>
        </div>
        <div className="flow-talk-tools">
          {isAsking && (
            <button type="button" className="flow-link" onClick={() => under.current?.abort()}>
              {t('try.stop')}
            </button>
          )}
          {!isAsking && (told?.state.due_ms ?? 0) !== 0 && (
            <button type="button" className="flow-link" onClick={() => void ask('')}>
              {t('try.elapse')}
            </button>
          )}
          {turns.length > 0 && (
            <button type="button" className="flow-link" onClick={restart}>
              {t('try.reset')}
            </button>
          )}
        </div>
      </div>
      {told !== undefined && <Path told={told} graph={graph} onShow={onShow} />}
    </div>
  );
}

function Begin({ onAsk }: { onAsk: (said: string) => void }) {
  const { t } = useTranslation('flows');
  return (
    <div className="flow-begin">
      <p className="field-hint">{t('try.lead')}</p>
      <p className="flow-label">{t('try.examples')}</p>
      <div className="flow-options">
        {([1, 2, 3] as const).map((number) => (
          <Button key={number} size="small" onClick={() => onAsk(t(`try.example_${number}`))}>
            {t(`try.example_${number}`)}
          </Button>
        ))}
      </div>
    </div>
  );
}

function Said({ turn: { said, told, fault } }: { turn: Turn }) {
  const { t } = useTranslation('flows');
  return (
    <>
      <p className={said === '' ? 'flow-said flow-said-time' : 'flow-said'}>
        {said || t('try.time_up')}
      </p>
      {told?.says.map((one, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: what was said stays in its order
        <div key={at} className="flow-answer">
          <p>{String(one.text ?? '')}</p>
          {sourcesOf(one).map((source) => (
            <p key={source} className="flow-source">
              {source}
            </p>
          ))}
        </div>
      ))}
      {told === undefined && fault === '' && (
        <p className="flow-answer flow-answer-wait">{t('try.asking')}</p>
      )}
      {fault !== '' && (
        <p className="field-fault" role="alert">
          {fault}
        </p>
      )}
    </>
  );
}

function Outcome({ told }: { told: FlowTried }) {
  const { t } = useTranslation('flows');
  if (told.why !== '') {
    return (
      <p className="flow-outcome flow-outcome-person">
        <Icon name="person" size={14} />
        {t('try.handed', { why: reasonName(told.why) })}
      </p>
    );
  }
  return <p className="flow-outcome">{t(told.waits_for === '' ? 'try.over' : 'try.waits')}</p>;
}

function Path({ told, graph, onShow }: Pick<TryProps, 'graph' | 'onShow'> & { told: FlowTried }) {
  const { t } = useTranslation('flows');
  const total = told.steps.reduce((sum, { ms }) => sum + ms, 0);
  const cost = costOf(told);
  return (
    <section className="flow-path" aria-label={t('try.path')}>
      <header>
        <h3>{t('try.path')}</h3>
        <span>
          {span(total)}
          {cost !== '' && ` · ${t('try.cost', { cost })}`}
        </span>
      </header>
      <ol>
        {told.steps.map((step, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a node may be passed twice
          <li key={at}>
            <PassedStep step={step} graph={graph} onShow={onShow} />
          </li>
        ))}
      </ol>
    </section>
  );
}

function PassedStep({
  step,
  graph,
  onShow,
}: Pick<TryProps, 'graph' | 'onShow'> & { step: FlowStep }) {
  const { t, i18n } = useTranslation('flows');
  const { kinds } = useDesk();
  const [here = ''] = step.node.split('/', 1);
  const node = graph.nodes.find(({ id }) => id === here);
  const isInside = here !== step.node;
  const way =
    node && !isInside ? waysOfNode(kinds, node).find(({ name }) => name === step.port) : undefined;
  const left =
    way && node ? wayName(node.kind, way, i18n.language) : portName(step.kind, step.port);
  const note = noteOf(step);
  return (
    <>
      <button type="button" className="flow-passed" onClick={() => onShow(here)}>
        <KindSign kind={step.kind} />
        <span className="flow-passed-words">
          <b className="clip">{isInside ? step.node : nodeName(node, i18n.language)}</b>
          {step.port !== '' && <span>{t('try.way', { way: left })}</span>}
          {note !== '' && <span className="flow-passed-note">{note}</span>}
        </span>
        <span className="flow-passed-ms">{span(step.ms)}</span>
      </button>
      {(step.asked.length > 0 || step.says.length > 0) && (
        <details className="flow-seldom flow-io">
          <summary>{t('try.details')}</summary>
          {step.asked.map((asked, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: asked in this order
            <dl key={at}>
              <dt>{t('try.input')}</dt>
              <dd>
                <Plain value={asked.request} />
              </dd>
              <dt>
                {t('try.output')} · {span(asked.took_ms)}
              </dt>
              <dd>
                <Plain value={asked.answer} />
              </dd>
            </dl>
          ))}
          {step.says.length > 0 && (
            <dl>
              <dt>{t('try.said')}</dt>
              <dd>
                <Plain value={step.says.length === 1 ? (step.says[0] ?? {}) : step.says} />
              </dd>
            </dl>
          )}
        </details>
      )}
    </>
  );
}

/** Data as lines of `name: value`; what is nested stays JSON. */
function Plain({ value }: { value: object }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be reached by keyboard
    <pre className="flow-plain" tabIndex={0}>
      {Object.entries(value)
        .filter(([, inner]) => inner !== '' && inner !== null)
        .map(([name, inner]) =>
          typeof inner === 'string'
            ? `${name}: ${inner}`
            : `${name}: ${JSON.stringify(inner, null, 1)}`,
        )
        .join('\n')}
    </pre>
  );
}
