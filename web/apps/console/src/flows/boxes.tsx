/** The controls that a form is made of: numbers, words, names with values, days, a choice of what is made elsewhere. */
import { Button, Input } from 'antd';
import { type KeyboardEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Icon } from '../parts/icon.tsx';
import { choiceName } from './words.ts';

interface BoxProps<T> {
  readonly id: string;
  readonly value: T;
  readonly isBad: boolean;
  readonly describedBy: string | undefined;
  readonly isOff: boolean;
  readonly onChange: (value: T) => void;
}

export type { BoxProps };

const bad = (isBad: boolean) => (isBad ? { status: 'error' as const } : {});
const described = (by: string | undefined) => (by === undefined ? {} : { 'aria-describedby': by });

export function NumberBox(
  props: BoxProps<number | null> & { isWhole: boolean; unit?: string; mayBeNull: boolean },
) {
  const { id, value, isBad, describedBy, isOff, isWhole, unit, mayBeNull, onChange } = props;
  const [typed, setTyped] = useState<string>();
  const text = typed ?? (value === null ? '' : String(value));
  const take = (next: string) => {
    setTyped(next);
    if (next.trim() === '') {
      if (mayBeNull) onChange(null);
      return;
    }
    const number = Number(next);
    if (Number.isFinite(number) && (!isWhole || Number.isInteger(number))) onChange(number);
  };
  return (
    <Input
      id={id}
      className="flow-number"
      inputMode="decimal"
      autoComplete="off"
      disabled={isOff}
      value={text}
      {...bad(
        isBad || (typed !== undefined && typed.trim() !== '' && !Number.isFinite(Number(typed))),
      )}
      {...described(describedBy)}
      {...(unit === undefined ? {} : { suffix: <span className="flow-unit">{unit}</span> })}
      aria-invalid={isBad}
      onChange={(event) => take(event.target.value)}
      onBlur={() => setTyped(undefined)}
    />
  );
}

/** Several words, each a chip; Enter adds one. */
export function WordsBox(props: BoxProps<readonly string[]> & { suggestions?: readonly string[] }) {
  const { id, value, isBad, describedBy, isOff, onChange, suggestions = [] } = props;
  const { t } = useTranslation('flows');
  const [typed, setTyped] = useState('');
  const add = (text: string) => {
    const words = text
      .split(/[,，、\n]/)
      .map((word) => word.trim())
      .filter((word) => word !== '' && !value.includes(word));
    if (words.length > 0) onChange([...value, ...words]);
    setTyped('');
  };
  const press = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === 'Enter') {
      event.preventDefault();
      add(typed);
    } else if (event.key === 'Backspace' && typed === '') onChange(value.slice(0, -1));
  };
  const list = `${id}-list`;
  return (
    <div className={isBad ? 'flow-words flow-words-bad' : 'flow-words'}>
      {value.map((word) => (
        <span key={word} className="flow-word">
          {word}
          {!isOff && (
            <button
              type="button"
              aria-label={`${t('list.remove')} ${word}`}
              onClick={() => onChange(value.filter((one) => one !== word))}
            >
              <Icon name="close" size={11} />
            </button>
          )}
        </span>
      ))}
      <input
        id={id}
        value={typed}
        disabled={isOff}
        autoComplete="off"
        placeholder={value.length === 0 ? t('inspector.words_hint') : ''}
        aria-invalid={isBad}
        {...(suggestions.length > 0 ? { list } : {})}
        {...described(describedBy)}
        onChange={(event) => setTyped(event.target.value)}
        onKeyDown={press}
        onBlur={() => add(typed)}
      />
      {suggestions.length > 0 && (
        <datalist id={list}>
          {suggestions.map((word) => (
            <option key={word} value={word} />
          ))}
        </datalist>
      )}
    </div>
  );
}

export interface Option {
  readonly value: string;
  readonly label: string;
}

export function ChoiceBox(props: BoxProps<string> & { options: readonly Option[] }) {
  const { id, value, isBad, describedBy, isOff, options, onChange } = props;
  const isKnown = options.some((option) => option.value === value);
  const { t } = useTranslation('flows');
  return (
    <select
      id={id}
      className={isBad ? 'flow-select flow-select-bad' : 'flow-select'}
      value={value}
      disabled={isOff}
      aria-invalid={isBad}
      {...described(describedBy)}
      onChange={(event) => onChange(event.target.value)}
    >
      {!isKnown && (
        <option value={value}>
          {value === '' ? t('inspector.choose') : t('inspector.gone', { name: value })}
        </option>
      )}
      {options.map((option) => (
        <option key={option.value} value={option.value}>
          {option.label}
        </option>
      ))}
    </select>
  );
}

const DAYS = [1, 2, 3, 4, 5, 6, 7] as const;

export function DaysBox({
  value,
  isOff,
  onChange,
  label,
}: Omit<BoxProps<readonly number[]>, 'id'> & { label: string }) {
  return (
    <fieldset className="flow-days" aria-label={label}>
      {DAYS.map((day) => (
        <label key={day} className={value.includes(day) ? 'flow-day flow-day-on' : 'flow-day'}>
          <input
            type="checkbox"
            className="hidden-text"
            checked={value.includes(day)}
            disabled={isOff}
            onChange={(event) =>
              onChange(
                event.target.checked
                  ? [...value, day].sort((a, b) => a - b)
                  : value.filter((one) => one !== day),
              )
            }
          />
          {choiceName('days', String(day))}
        </label>
      ))}
    </fieldset>
  );
}

type Pairs = Readonly<Record<string, string>>;

/** Names with values. A name that is being typed lives here until it is one. */
export function MapBox(props: BoxProps<Pairs>) {
  const { id, value, isBad, isOff, onChange } = props;
  const { t } = useTranslation('flows');
  const [rows, setRows] = useState(() => Object.entries(value));
  const change = (next: [string, string][]) => {
    setRows(next);
    onChange(Object.fromEntries(next.filter(([name]) => name.trim() !== '')));
  };
  const put = (at: number, row: [string, string]) =>
    change(rows.map((held, number) => (number === at ? row : held)));
  return (
    <div className="flow-map-box" id={id}>
      {rows.map(([name, text], at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a row is where it is while its name is typed
        <div key={at} className="flow-pair">
          <Input
            aria-label={`${t('inspector.key')} ${at + 1}`}
            placeholder={t('inspector.key')}
            value={name}
            disabled={isOff}
            {...bad(isBad)}
            onChange={(event) => put(at, [event.target.value.trim(), text])}
          />
          <Input
            aria-label={`${t('inspector.value')} ${at + 1}`}
            placeholder={t('inspector.value')}
            value={text}
            disabled={isOff}
            onChange={(event) => put(at, [name, event.target.value])}
          />
          <button
            type="button"
            className="flow-icon-button"
            aria-label={t('inspector.remove_item', { number: at + 1 })}
            disabled={isOff}
            onClick={() => change(rows.filter((_row, number) => number !== at))}
          >
            <Icon name="close" size={14} />
          </button>
        </div>
      ))}
      <Button size="small" disabled={isOff} onClick={() => setRows([...rows, ['', '']])}>
        {t('inspector.add')}
      </Button>
    </div>
  );
}
