/** The same question to two bots, and what each makes of it: words, sources, time, cost. */
import { Button, Input } from 'antd';
import { type KeyboardEvent, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { askBot, type BotList } from '../api/bots.ts';
import { Blank } from '../parts/blank.tsx';
import { sentence } from '../parts/fault.tsx';
import { useMe } from '../signin/session.ts';
import { AnswerCard } from './answer-card.tsx';
import { asked, heard, isOver, type Round, withAnswer, withRound } from './asking.ts';
import { Back } from './new.tsx';
import { draftOf, publishedOf } from './state.ts';
import { botName, HOUSE } from './words.ts';

interface Choice {
  readonly key: string;
  readonly bot: string;
  readonly version: number;
  readonly label: string;
}

const NOBODY = '';
const LONGEST = 4_000;

function useChoices(list: BotList): readonly Choice[] {
  const { t } = useTranslation();
  const house = { key: HOUSE, bot: HOUSE, version: 0, label: t('bots.house') };
  const others = list.bots.flatMap((bot) =>
    [publishedOf(bot), draftOf(bot)].flatMap((version) => {
      if (version === undefined) return [];
      const number = t('bots.version', { number: version.version });
      const mark = version.status === 'draft' ? ` ${t('bots.ask.draft')}` : '';
      const key = `${bot.id} ${version.version}`;
      const label = `${version.name} ${number}${mark}`;
      return [{ key, bot: bot.id, version: version.version, label }];
    }),
  );
  return list.house.can_be_tried ? [house, ...others] : others;
}

/** The two to begin with: the wanted one, newest version first, beside the house's or the next. */
function firstTwo(choices: readonly Choice[], wanted: string | null): readonly [string, string] {
  const right =
    choices.findLast(({ bot }) => bot === wanted) ?? choices.find(({ bot }) => bot !== HOUSE);
  const left =
    choices.find(({ bot }) => bot === HOUSE && bot !== right?.bot) ??
    choices.find(({ key }) => key !== right?.key);
  if (left === undefined) return [right?.key ?? NOBODY, NOBODY];
  return [left.key, right?.key ?? NOBODY];
}

export function TryPage({ list, wanted }: { list: BotList; wanted: string | null }) {
  const { t } = useTranslation();
  const me = useMe();
  const choices = useChoices(list);
  const [picked, setPicked] = useState(() => firstTwo(choices, wanted));
  const [rounds, setRounds] = useState<readonly Round[]>([]);
  const [text, setText] = useState('');
  const foot = useRef<HTMLDivElement>(null);
  const under = useRef<AbortController | null>(null);
  const last = rounds.at(-1);
  const isAsking = last?.answers.some((answer) => !isOver(answer)) ?? false;

  useEffect(() => () => under.current?.abort(), []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new question is brought into view, its answer is not
  useEffect(() => {
    // In braces: newer browsers answer with a promise, which is no way to clean up.
    foot.current?.scrollIntoView({ block: 'end' });
  }, [last?.id]);

  const ask = (question: string) => {
    const two = picked.flatMap((key) => choices.find((one) => one.key === key) ?? []);
    if (question === '' || two.length === 0 || isAsking) return;
    const id = (last?.id ?? 0) + 1;
    const control = new AbortController();
    under.current = control;
    const answers = two.map(({ bot, version }) => asked(bot, version));
    setRounds((now) => withRound(now, { id, question, answers }));
    setText('');
    for (const [at, { bot, version }] of two.entries()) {
      const wish = { text: question, version, locale: me.locale };
      askBot(
        bot,
        wish,
        (piece) => setRounds((now) => withAnswer(now, id, at, (held) => heard(held, piece))),
        control.signal,
      ).catch((cause: unknown) => {
        const isStopped = control.signal.aborted;
        const fault = isStopped ? '' : sentence(cause, t);
        setRounds((now) =>
          withAnswer(now, id, at, (held) =>
            isOver(held) ? held : { ...held, phase: isStopped ? 'stopped' : 'failed', fault },
          ),
        );
      });
    }
  };
  const press = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    ask(text.trim());
  };
  const pick = (at: 0 | 1, key: string) =>
    setPicked(([left, right]) => (at === 0 ? [key, right] : [left, key]));
  const nameOf = (bot: string, version: number) =>
    choices.find((one) => one.bot === bot && one.version === version)?.label ??
    botName(bot, list, t);

  return (
    <main className="back-page bots-try">
      <div className="back-inner">
        <Back />
        <header className="back-head">
          <h1>{t('bots.ask.heading')}</h1>
          <p>{t('bots.ask.lead')}</p>
        </header>
        <div className="bots-two">
          {([0, 1] as const).map((at) => (
            <select
              key={at}
              className="bots-pick"
              aria-label={t(at === 0 ? 'bots.ask.left' : 'bots.ask.right')}
              value={picked[at]}
              onChange={(event) => pick(at, event.target.value)}
            >
              {at === 1 && <option value={NOBODY}>{t('bots.ask.nobody')}</option>}
              {choices.map((one) => (
                <option key={one.key} value={one.key}>
                  {one.label}
                </option>
              ))}
            </select>
          ))}
        </div>
        {list.bots.length === 0 && <p className="field-hint">{t('bots.ask.one_only')}</p>}
        {rounds.length === 0 ? (
          <div className="sheet bots-try-empty">
            <Blank icon="sparkle" title={t('bots.ask.examples')} text={t('bots.ask.empty')}>
              <div className="bots-examples">
                {([1, 2, 3] as const).map((number) => (
                  <Button key={number} onClick={() => ask(t(`bots.ask.example_${number}`))}>
                    {t(`bots.ask.example_${number}`)}
                  </Button>
                ))}
              </div>
            </Blank>
          </div>
        ) : (
          <ol className="bots-rounds">
            {rounds.map((round) => (
              <li key={round.id}>
                <h2 className="bots-question">{round.question}</h2>
                <div className="bots-two">
                  {round.answers.map((answer, at) => (
                    <AnswerCard
                      // biome-ignore lint/suspicious/noArrayIndexKey: left and right are what they are
                      key={at}
                      answer={answer}
                      name={nameOf(answer.bot, answer.version)}
                    />
                  ))}
                </div>
              </li>
            ))}
          </ol>
        )}
        <div ref={foot} />
      </div>
      <div className="bots-composer">
        <div className="bots-composer-inner">
          <Input.TextArea
            value={text}
            aria-label={t('bots.ask.question')}
            placeholder={t('bots.ask.placeholder')}
            maxLength={LONGEST}
            autoSize={{ minRows: 1, maxRows: 5 }}
            onChange={(event) => setText(event.target.value)}
            onKeyDown={press}
          />
          {isAsking ? (
            <Button onClick={() => under.current?.abort()}>{t('bots.ask.stop')}</Button>
          ) : (
            <Button type="primary" disabled={text.trim() === ''} onClick={() => ask(text.trim())}>
              {t('bots.ask.send')}
            </Button>
          )}
        </div>
      </div>
    </main>
  );
}
