/** What the bot said: who, how sure, how fast, on what grounds. Also a draft that is still being written. */
import type { Body } from '@qingniao/protocol/frames';
import type { TFunction } from 'i18next';
import i18next from 'i18next';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { clock } from '../format/time.ts';
import { Icon } from '../parts/icon.tsx';
import { type AnswerBody, answerOf, type Cite } from './bodies.ts';
import { Linked } from './linked.tsx';

export function AnswerCard({ body, time }: { body: Body; time: number }) {
  const { t } = useTranslation();
  const answer = answerOf(body);
  if (answer === null) return null;
  return (
    <div className="card card-answer">
      <p className="card-head">
        <Icon name="bot" size={14} />
        <b>{botName(answer.bot, t)}</b>
        {facts(answer, t).map((fact) => (
          <span key={fact}>· {fact}</span>
        ))}
        <span className="card-time">{clock(time)}</span>
      </p>
      <Linked text={answer.text} />
      {answer.options.length > 0 && (
        <ul className="options" aria-label={t('chat.options')}>
          {answer.options.map((option) => (
            <li key={option}>{option}</li>
          ))}
        </ul>
      )}
      {answer.cites.length > 0 && <Cites cites={answer.cites} />}
      {answer.isPartial && (
        <p className="card-warn">
          <Icon name="alert" size={13} />
          {t('chat.partial')}
        </p>
      )}
    </div>
  );
}

/** A bot's name; those that come with the product have one in every language. */
function botName(bot: string, t: TFunction): string {
  if (bot === '') return t('chat.sender.bot');
  const known = `chat.bots.${bot}`;
  return i18next.exists(known) ? t(known as 'chat.bots.local') : bot;
}

function facts(answer: AnswerBody, t: TFunction): string[] {
  const said: string[] = [];
  if (answer.confidence !== null) {
    said.push(t('chat.confidence', { value: answer.confidence.toFixed(2) }));
  }
  if (answer.tookMs !== null) {
    const seconds = answer.tookMs / 1000;
    said.push(t('chat.took', { seconds: seconds < 0.095 ? '<0.1' : seconds.toFixed(1) }));
  }
  return said;
}

function Cites({ cites }: { cites: readonly Cite[] }) {
  const { t } = useTranslation();
  const [open, setOpen] = useState<number | null>(null);
  const quote = open === null ? undefined : cites[open]?.quote;
  return (
    <div className="cites">
      <span className="cites-list">
        <Icon name="book" size={14} />
        <span className="hidden-text">{t('chat.cites')}</span>
        {cites.map((cite, index) => (
          <button
            key={`${cite.id} ${cite.title}`}
            type="button"
            className="plain-button cite"
            aria-expanded={open === index}
            onClick={() => setOpen(open === index ? null : index)}
          >
            {cite.title}
          </button>
        ))}
      </span>
      {quote !== undefined && quote !== '' && <blockquote>{quote}</blockquote>}
    </div>
  );
}

/** An answer that is being written. */
export function DraftCard({ text }: { text: string }) {
  const { t } = useTranslation();
  return (
    <div className="card card-answer card-draft" aria-busy="true">
      <p className="card-head">
        <Icon name="bot" size={14} />
        <b>{t('chat.sender.bot')}</b>
        <span>· {t('chat.writing')}</span>
      </p>
      <Linked text={text} />
      <span className="caret" aria-hidden="true" />
    </div>
  );
}
