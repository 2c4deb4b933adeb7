/** Who is asked, in order, when a bot fails. */
import { useId } from 'react';
import { useTranslation } from 'react-i18next';
import type { BotList } from '../api/bots.ts';
import type { BotForm } from './form.ts';
import { botName, HOUSE } from './words.ts';

interface StandInsProps {
  readonly list: BotList;
  readonly form: BotForm;
  readonly onChange: (spares: readonly string[]) => void;
}

const MOST = 4;

export function StandIns({ list, form, onChange }: StandInsProps) {
  const { t } = useTranslation();
  const id = useId();
  const known = [HOUSE, ...list.bots.map((bot) => bot.id)].filter((bot) => bot !== form.id);
  // One that is gone stays to be seen.
  const all = [...new Set([...known, ...form.spares])];
  const rows = form.spares.length < Math.min(MOST, all.length) ? [...form.spares, ''] : form.spares;
  const put = (index: number, bot: string) => {
    const next = form.spares.filter((_, at) => at !== index);
    onChange(bot === '' ? next : next.toSpliced(index, 0, bot));
  };
  return (
    <div className="field">
      <span className="field-label" id={id}>
        {t('bots.form.then')}
      </span>
      {rows.map((bot, index) => (
        <select
          // biome-ignore lint/suspicious/noArrayIndexKey: the place in the order is what a row is
          key={index}
          className="bots-pick"
          aria-label={t('bots.form.then_nth', { number: index + 1 })}
          aria-describedby={id}
          value={bot}
          onChange={(event) => put(index, event.target.value)}
        >
          <option value="">{t(index === 0 ? 'bots.form.then_none' : 'bots.form.then_more')}</option>
          {all
            .filter((one) => one === bot || !form.spares.includes(one))
            .map((one) => (
              <option key={one} value={one}>
                {botName(one, list, t)}
              </option>
            ))}
        </select>
      ))}
      <p className="field-hint">{t('bots.form.then_hint')}</p>
    </div>
  );
}
