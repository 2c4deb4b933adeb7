/** One bot's answer to a question that an administrator tries. */
import { useTranslation } from 'react-i18next';
import type { BotTried } from '../api/bots.ts';
import { Icon } from '../parts/icon.tsx';
import { type Answer, isOver } from './asking.ts';
import { botSentence } from './sentences.ts';
import { money, span } from './state.ts';

export function AnswerCard({ answer, name }: { answer: Answer; name: string }) {
  const { t, i18n } = useTranslation();
  const { tried, phase, text, fault } = answer;
  const isFailed = phase === 'failed';
  const why = fault !== '' ? fault : botSentence(tried?.detail ?? '', i18n.language, t);
  return (
    <section
      className={isFailed ? 'sheet bots-answer bots-answer-bad' : 'sheet bots-answer'}
      aria-label={name}
      aria-busy={!isOver(answer)}
    >
      <header>
        <b className="clip" title={name}>
          {name}
        </b>
        {tried !== null && <Meters tried={tried} />}
      </header>
      {isFailed && (
        <p className="bots-ill" role="alert">
          <b>{t('bots.ask.failed')}</b> {why}
        </p>
      )}
      {text !== '' && (
        <p className={isFailed || phase === 'stopped' ? 'said bots-cut' : 'said'}>{text}</p>
      )}
      {text !== '' && (isFailed || phase === 'stopped') && (
        <p className="bots-quiet">{t('bots.ask.cut')}</p>
      )}
      <Under answer={answer} />
      <p className="hidden-text" role="status">
        {phase === 'done' ? `${name}: ${text}` : ''}
      </p>
    </section>
  );
}

/** What is to be known beside the words. */
function Under({ answer }: { answer: Answer }) {
  const { t } = useTranslation();
  const { phase, text, step, tried, hasRetracted } = answer;
  const notes: string[] = [];
  const wish = (action: string) => {
    const [kind = '', ...name] = action.split(': ');
    const word = kind === 'handoff' || kind === 'tool' ? t(`bots.ask.${kind}`) : kind;
    return `${word} ${name.join(': ')}`.trim();
  };
  if (phase === 'asked') {
    notes.push(step === '' ? t('bots.ask.waiting') : t('bots.ask.working', { step }));
  }
  if (phase === 'stopped') notes.push(t('bots.ask.stopped'));
  if (hasRetracted) notes.push(t('bots.ask.retracted'));
  if (phase === 'done' && text.trim() === '') notes.push(t('bots.ask.silent'));
  if (tried?.partial === true) notes.push(t('bots.ask.partial'));
  if (tried !== null && tried.actions.length > 0)
    notes.push(t('bots.ask.actions', { what: tried.actions.map(wish).join(t('bots.and')) }));
  return (
    <>
      {notes.map((note) => (
        <p key={note} className="bots-quiet">
          {note}
        </p>
      ))}
      {tried !== null && tried.citations.length > 0 && (
        <div className="bots-cites">
          <span>{t('bots.ask.cites')}</span>
          <ul>
            {[...new Set(tried.citations)].map((title) => (
              <li key={title}>
                <Icon name="book" size={12} />
                <span>{title}</span>
              </li>
            ))}
          </ul>
        </div>
      )}
    </>
  );
}

function Meters({ tried }: { tried: BotTried }) {
  const { t, i18n } = useTranslation();
  const locale = i18n.language;
  const tokens = tried.prompt_tokens + tried.completion_tokens;
  const told: (readonly [string, string?])[] = [];
  if (tried.first_ms > 0) told.push([t('bots.ask.first', { time: span(tried.first_ms, locale) })]);
  if (tried.took_ms > 0) told.push([t('bots.ask.took', { time: span(tried.took_ms, locale) })]);
  if (tokens > 0) {
    const number = new Intl.NumberFormat(locale);
    const title = t('bots.ask.tokens_title', {
      prompt: number.format(tried.prompt_tokens),
      completion: number.format(tried.completion_tokens),
    });
    told.push([t('bots.ask.tokens', { count: tokens, number: number.format(tokens) }), title]);
  }
  if (tried.cost > 0) told.push([money(tried.cost, tried.currency, locale)]);
  if (tried.confidence !== null) {
    const share = new Intl.NumberFormat(locale, { style: 'percent' }).format(tried.confidence);
    told.push([t('bots.ask.sure', { share })]);
  }
  return (
    <ul className="bots-meters">
      {told.map(([text, title]) => (
        <li key={text} title={title}>
          {text}
        </li>
      ))}
    </ul>
  );
}
