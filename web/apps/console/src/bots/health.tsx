/** How a bot is and what it did, in words first and then in figures; and who asks it. */
import { useMutation } from '@tanstack/react-query';
import { Button } from 'antd';
import { useTranslation } from 'react-i18next';
import {
  answerFirst,
  type BotFailure,
  type BotFigures,
  type BotList,
  type BotTried,
  type BotUse,
} from '../api/bots.ts';
import { moment } from '../format/time.ts';
import { sentence } from '../parts/fault.tsx';
import { useNow } from '../parts/now.ts';
import { toast } from '../parts/toast.tsx';
import { useBotChanged } from './queries.ts';
import { botSentence } from './sentences.ts';
import { type BotState, costEach, money, span } from './state.ts';
import { botName, HOUSE, titleOf } from './words.ts';

interface About {
  readonly id: string;
  readonly failure: BotFailure | null;
  readonly uses: readonly BotUse[];
}

interface HealthProps {
  readonly list: BotList;
  readonly about: About;
  readonly state: BotState;
  readonly isPublished: boolean;
  readonly check: BotTried | undefined;
  /** Said in place of what the state means. */
  readonly words?: string;
}

export function Health({ list, about, state, isPublished, check, words }: HealthProps) {
  const { t, i18n } = useTranslation();
  const now = useNow(30_000);
  const isIll = check !== undefined && !check.is_ok;
  const { failure } = about;
  return (
    <section className="sheet bots-part" aria-label={t('bots.health.heading')}>
      <h2>{t('bots.health.heading')}</h2>
      {isIll && <p className="bots-ill">{botSentence(check.detail, i18n.language, t)}</p>}
      <p className={isIll ? 'bots-quiet' : undefined}>
        {words ?? t(`bots.health.${state === 'ill' && !isPublished ? 'draft' : state}`)}
        {check !== undefined && <span className="bots-quiet"> {t('bots.checked')}</span>}
      </p>
      <dl className="bots-facts">
        <div>
          <dt>{t('bots.health.last')}</dt>
          <dd>
            {failure === null ? (
              t('bots.health.never_failed')
            ) : (
              <>
                <time dateTime={new Date(failure.time).toISOString()}>
                  {moment(failure.time, now, t, i18n.language)}
                </time>
                <span className="bots-said">{botSentence(failure.detail, i18n.language, t)}</span>
              </>
            )}
          </dd>
        </div>
        <div>
          <dt>{t('bots.health.uses')}</dt>
          <dd>
            {about.uses.length === 0 ? (
              t('bots.health.uses_none')
            ) : (
              <ul>
                {about.uses.map((use) => (
                  <li key={JSON.stringify(use)}>
                    {t(`bots.health.use_${use.kind}`, {
                      title:
                        use.kind === 'then'
                          ? botName(use.of, list, t)
                          : titleOf(use.title, i18n.language),
                    })}
                  </li>
                ))}
              </ul>
            )}
          </dd>
        </div>
      </dl>
      {isPublished && <MakeFirst list={list} id={about.id} />}
    </section>
  );
}

function MakeFirst({ list, id }: { list: BotList; id: string }) {
  const { t } = useTranslation();
  const changed = useBotChanged();
  const put = useMutation({
    mutationFn: answerFirst,
    onSuccess: (_, chosen) => {
      const before = list.first;
      toast({
        text: t('bots.health.made_first', { name: botName(chosen, list, t) }),
        action: { label: t('common.undo'), run: () => put.mutate(before) },
      });
      return changed();
    },
    onError: (cause) =>
      toast({ text: t('toast.failed', { why: sentence(cause, t) }), tone: 'fault' }),
  });
  const isFirst = list.first === id;
  return (
    <div className="bots-first">
      {isFirst && <p>{t('bots.health.is_first')}</p>}
      {!isFirst && (
        <Button block loading={put.isPending} onClick={() => put.mutate(id)}>
          {t('bots.health.make_first')}
        </Button>
      )}
      {isFirst && id !== HOUSE && (
        <Button block loading={put.isPending} onClick={() => put.mutate(HOUSE)}>
          {t('bots.health.was_first')}
        </Button>
      )}
    </div>
  );
}

export function Figures({ figures, isFree }: { figures: BotFigures; isFree: boolean }) {
  const { t, i18n } = useTranslation();
  const locale = i18n.language;
  const number = (value: number) => new Intl.NumberFormat(locale).format(value);
  const each = costEach(figures);
  const unknown = t('bots.figures.unknown');
  const joined = (sums: readonly (readonly [string, number])[]) =>
    sums.length === 0
      ? unknown
      : sums.map(([currency, sum]) => money(sum, currency, locale)).join(' + ');
  const all: readonly (readonly [string, string])[] = [
    [t('bots.figures.answers'), number(figures.answers)],
    [t('bots.figures.failures'), number(figures.failures)],
    [t('bots.figures.half'), span(figures.first_p50_ms, locale)],
    [t('bots.figures.most'), span(figures.first_p95_ms, locale)],
    [t('bots.figures.took'), span(figures.took_ms, locale)],
    [t('bots.figures.each'), joined(each)],
    [t('bots.figures.sum'), joined(Object.entries(figures.cost))],
    [t('bots.figures.tokens'), figures.tokens === 0 ? unknown : number(figures.tokens)],
  ];
  // Where nothing is paid, nothing is said of it.
  const rows = figures.answers === 0 ? all.slice(0, 2) : isFree ? all.slice(0, 5) : all;
  const isAsked = figures.answers + figures.failures > 0;
  return (
    <section className="sheet bots-part" aria-label={t('bots.figures.heading')}>
      <h2>{t('bots.figures.heading')}</h2>
      {isAsked ? (
        <>
          <dl className="bots-figures">
            {rows.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
          <p className="field-hint">{t('bots.figures.about')}</p>
        </>
      ) : (
        <p className="bots-quiet">{t('bots.figures.none')}</p>
      )}
    </section>
  );
}
