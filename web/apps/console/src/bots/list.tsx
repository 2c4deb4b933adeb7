/** All bots: how each is, what it costs, how fast it answers. One row leads to one bot. */
import { Button } from 'antd';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Bot, BotFailure, BotFigures, BotList, BotTried } from '../api/bots.ts';
import { moment } from '../format/time.ts';
import { Icon } from '../parts/icon.tsx';
import { useNow } from '../parts/now.ts';
import { BOTS, type BotsRoute } from '../router/route.ts';
import { linkTo, navigate } from '../router/router.ts';
import { PLATFORMS } from './platforms.ts';
import { useCheck } from './queries.ts';
import { botSentence } from './sentences.ts';
import { Sign, StateChip } from './sign.tsx';
import { costEach, draftOf, money, publishedOf, span, stateOf } from './state.ts';
import { HOUSE, nameOfUse, platformName } from './words.ts';

export function BotListPage({ list }: { list: BotList }) {
  const { t } = useTranslation();
  const { bots } = list;
  const row = (bot: Bot) => <BotRow key={bot.id} bot={bot} list={list} />;
  return (
    <main className="back-page">
      <div className="back-inner">
        <header className="back-head">
          <h1>{t('bots.heading')}</h1>
          <p>{t('bots.lead')}</p>
          <Button onClick={() => navigate({ ...BOTS, at: 'try' })}>{t('bots.try')}</Button>
          <Button type="primary" onClick={() => navigate({ ...BOTS, at: 'new' })}>
            {t('bots.add')}
          </Button>
        </header>
        <Gone list={list} />
        <div className="sheet bots-sheet">
          <div className="bots-row bots-columns" aria-hidden="true">
            <span>{t('bots.col.name')}</span>
            <span>{t('bots.col.state')}</span>
            <span>{t('bots.col.first')}</span>
            <span>{t('bots.col.cost')}</span>
            <span>{t('bots.col.answers')}</span>
            <span>{t('bots.col.version')}</span>
          </div>
          <ul>
            {/* Who answers first stands first; the others stay where they are. */}
            {bots.filter(({ id }) => id === list.first).map(row)}
            <HouseRow list={list} />
            {bots.filter(({ id }) => id !== list.first).map(row)}
          </ul>
        </div>
        {list.bots.length === 0 && <Empty />}
      </div>
    </main>
  );
}

/** What is asked and answers nobody. */
function Gone({ list }: { list: BotList }) {
  const { t, i18n } = useTranslation();
  if (list.gone.length === 0) return null;
  return (
    <div className="bots-warning" role="status">
      <Icon name="alert" size={16} />
      <div>
        <b>{t('bots.gone_title')}</b>
        {list.gone.map(({ id, uses }) => (
          <p key={id}>
            {t('bots.gone_line', {
              bot: id,
              who: uses.map((use) => nameOfUse(use, list, i18n.language, t)).join(t('bots.and')),
            })}
          </p>
        ))}
      </div>
    </div>
  );
}

function HouseRow({ list }: { list: BotList }) {
  const { t } = useTranslation();
  const { house } = list;
  const check = useCheck(HOUSE, 0, '', house.can_be_tried);
  // Where it lives in another process nothing is known but what visitors met.
  const told = house.can_be_tried ? check.data : WELL;
  return (
    <Row
      id={HOUSE}
      kind="local"
      name={t('bots.house')}
      about={t('bots.house_text')}
      isFirst={list.first === HOUSE}
      isPublished
      check={told}
      failure={house.failure}
      figures={house.figures}
      version={t('bots.platform.local')}
    />
  );
}

const WELL: BotTried = {
  is_ok: true,
  code: '',
  detail: '',
  text: '',
  citations: [],
  confidence: null,
  partial: false,
  actions: [],
  first_ms: 0,
  took_ms: 0,
  prompt_tokens: 0,
  completion_tokens: 0,
  cost: 0,
  currency: '',
};

function BotRow({ bot, list }: { bot: Bot; list: BotList }) {
  const { t } = useTranslation();
  const live = publishedOf(bot);
  const draft = draftOf(bot);
  const shown = live ?? draft;
  const check = useCheck(
    bot.id,
    live?.version ?? 0,
    String(live?.updated ?? 0),
    live !== undefined,
  );
  if (shown === undefined) return null;
  return (
    <Row
      id={bot.id}
      kind={shown.kind}
      name={shown.name}
      about={`${platformName(shown.kind, t)} · ${bot.id}`}
      isFirst={list.first === bot.id}
      isPublished={live !== undefined}
      check={check.data}
      failure={bot.failure}
      figures={bot.figures}
      version={
        live === undefined ? (
          t('bots.draft_of', { number: shown.version })
        ) : (
          <>
            {t('bots.version', { number: live.version })}
            {draft !== undefined && <span className="bots-sub">{t('bots.has_draft')}</span>}
          </>
        )
      }
    />
  );
}

interface RowProps {
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly about: string;
  readonly isFirst: boolean;
  readonly isPublished: boolean;
  readonly check: BotTried | undefined;
  readonly failure: BotFailure | null;
  readonly figures: BotFigures;
  readonly version: ReactNode;
}

function Row(props: RowProps) {
  const { t } = useTranslation();
  const { id, kind, name, about, isFirst, figures } = props;
  const now = useNow(30_000);
  const state = stateOf(props, now);
  const route: BotsRoute = { name: 'bots', at: 'bot', bot: id };
  return (
    <li>
      <a className="bots-row" {...linkTo(route)}>
        <span className="bots-who">
          <Sign kind={kind} />
          <span className="bots-names">
            <b className="clip" title={name}>
              {name}
            </b>
            <span className="clip">{about}</span>
          </span>
        </span>
        <span className="bots-how">
          <span className="bots-chips">
            <StateChip state={state} />
            {isFirst && <span className="chip chip-open">{t('bots.first_chip')}</span>}
          </span>
          <Why {...props} now={now} state={state} />
        </span>
        <Cell label={t('bots.col.first')}>
          <First figures={figures} />
        </Cell>
        <Cell label={t('bots.col.cost')}>
          <Cost figures={figures} isHouse={id === HOUSE} />
        </Cell>
        <Cell label={t('bots.col.answers')}>
          <Answers figures={figures} />
        </Cell>
        <Cell label={t('bots.col.version')}>{props.version}</Cell>
      </a>
    </li>
  );
}

function Cell({ label, children }: { label: string; children: ReactNode }) {
  return (
    <span className="bots-cell">
      <span className="bots-label">{label}</span>
      <span>{children}</span>
    </span>
  );
}

function Why(props: RowProps & { now: number; state: ReturnType<typeof stateOf> }) {
  const { t, i18n } = useTranslation();
  const { check, failure, state, now, figures } = props;
  if (state === 'ill' && check !== undefined)
    return <span className="bots-why">{botSentence(check.detail, i18n.language, t)}</span>;
  if (state === 'failing' && failure !== null) {
    const when = moment(failure.time, now, t, i18n.language);
    const why = botSentence(failure.detail, i18n.language, t);
    return <span className="bots-why">{t('bots.last_failure', { when, why })}</span>;
  }
  if (state === 'slow') {
    const most = span(figures.first_p95_ms, i18n.language);
    return <span className="bots-why">{t('bots.slow_text', { most })}</span>;
  }
  return null;
}

export function First({ figures }: { figures: BotFigures }) {
  const { t, i18n } = useTranslation();
  if (figures.answers === 0) return <Nothing />;
  const half = span(figures.first_p50_ms, i18n.language);
  const most = span(figures.first_p95_ms, i18n.language);
  return (
    <span title={t('bots.first_title', { half, most })}>
      {t('bots.first_pair', { half, most })}
    </span>
  );
}

function Cost({ figures, isHouse }: { figures: BotFigures; isHouse: boolean }) {
  const { t, i18n } = useTranslation();
  const costs = costEach(figures);
  if (isHouse) return t('bots.ask.free');
  if (costs.length === 0) return <Nothing />;
  return costs.map(([currency, each]) => money(each, currency, i18n.language)).join(' + ');
}

function Answers({ figures }: { figures: BotFigures }) {
  const { t, i18n } = useTranslation();
  return (
    <>
      {new Intl.NumberFormat(i18n.language).format(figures.answers)}
      {figures.failures > 0 && (
        <span className="bots-sub bots-bad">{t('bots.failures', { count: figures.failures })}</span>
      )}
    </>
  );
}

function Nothing() {
  return <span className="bots-nothing">—</span>;
}

function Empty() {
  const { t } = useTranslation();
  return (
    <section className="bots-empty">
      <h2>{t('bots.empty')}</h2>
      <p>{t('bots.empty_text')}</p>
      <ul className="bots-tiles">
        {PLATFORMS.map(({ name }) => (
          <li key={name}>
            <button
              type="button"
              className="bots-tile"
              onClick={() => navigate({ name: 'bots', at: 'new', bot: name })}
            >
              <Sign kind={name} />
              <b>{t(`bots.platform.${name}`)}</b>
              <span>{t(`bots.platform_text.${name}`)}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
