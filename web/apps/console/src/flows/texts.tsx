/** Text in a form: a line, a text in both languages, labels by language, several texts. Owns no value. */
import { Button, Input } from 'antd';
import { useTranslation } from 'react-i18next';
import type { Texts } from '../api/flows.ts';
import { Icon } from '../parts/icon.tsx';
import type { BoxProps } from './boxes.tsx';

export function Line({
  id,
  value,
  isBad,
  describedBy,
  isOff,
  isLong,
  onChange,
}: BoxProps<string> & { isLong: boolean }) {
  const shared = {
    id,
    value,
    disabled: isOff,
    autoComplete: 'off',
    spellCheck: false,
    'aria-invalid': isBad,
    ...(isBad ? { status: 'error' as const } : {}),
    ...(describedBy === undefined ? {} : { 'aria-describedby': describedBy }),
  };
  return isLong ? (
    <Input.TextArea
      {...shared}
      className="flow-mono"
      autoSize={{ minRows: 3, maxRows: 12 }}
      onChange={(event) => onChange(event.target.value)}
    />
  ) : (
    <Input {...shared} onChange={(event) => onChange(event.target.value)} />
  );
}

const LOCALES = [
  ['zh-CN', 'locale_zh'],
  ['en', 'locale_en'],
] as const;

/** A text in both languages; others that are there stay. */
export function TextsBox(
  props: BoxProps<Texts> & { readonly label: string; readonly isShort: boolean },
) {
  const { id, value, isBad, describedBy, isOff, label, isShort, onChange } = props;
  const { t } = useTranslation('flows');
  return (
    <div className="flow-texts">
      {LOCALES.map(([locale, word]) => {
        const isFirst = locale === 'zh-CN';
        const change = (text: string) => {
          const { [locale]: _old, ...others } = value;
          onChange(text === '' && !isFirst ? others : { ...others, [locale]: text });
        };
        const shared = {
          id: `${id}-${locale}`,
          value: value[locale] ?? '',
          disabled: isOff,
          placeholder: t(`inspector.${word}`),
          'aria-label': `${label} · ${t(`inspector.${word}`)}`,
          'aria-invalid': isBad && isFirst,
          lang: locale,
          ...(isBad && isFirst ? { status: 'error' as const } : {}),
          ...(describedBy === undefined ? {} : { 'aria-describedby': describedBy }),
        };
        return isShort ? (
          <Input key={locale} {...shared} onChange={(event) => change(event.target.value)} />
        ) : (
          <Input.TextArea
            key={locale}
            {...shared}
            autoSize={{ minRows: isFirst ? 2 : 1, maxRows: 8 }}
            onChange={(event) => change(event.target.value)}
          />
        );
      })}
    </div>
  );
}

/** By language several labels, one on each line. */
export function OptionsBox({ id, value, isOff, onChange }: BoxProps<unknown>) {
  const { t } = useTranslation('flows');
  const byLocale = (typeof value === 'object' && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  return (
    <div className="flow-texts">
      {LOCALES.map(([locale, word]) => {
        const held = byLocale[locale];
        return (
          <Input.TextArea
            key={locale}
            id={`${id}-${locale}`}
            aria-label={`${t(`inspector.${word}`)}, ${t('inspector.no_options')}`}
            placeholder={`${t(`inspector.${word}`)}, ${t('inspector.no_options')}`}
            defaultValue={Array.isArray(held) ? held.join('\n') : ''}
            disabled={isOff}
            autoSize={{ minRows: 1, maxRows: 6 }}
            onChange={(event) => {
              const lines = event.target.value.split('\n').filter((line) => line.trim() !== '');
              const { [locale]: _old, ...others } = byLocale;
              onChange(lines.length === 0 ? others : { ...others, [locale]: lines });
            }}
          />
        );
      })}
    </div>
  );
}

export function LabelsBox({ id, value, isOff, isBad, onChange }: BoxProps<readonly Texts[]>) {
  const { t } = useTranslation('flows');
  return (
    <div className="flow-items">
      {value.map((texts, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a label is the one at its place
        <div key={at} className="flow-item">
          <TextsBox
            id={`${id}-${at}`}
            label={t('inspector.item', { number: at + 1 })}
            value={texts}
            isBad={isBad}
            describedBy={undefined}
            isOff={isOff}
            isShort
            onChange={(next) =>
              onChange(value.map((held, number) => (number === at ? next : held)))
            }
          />
          <button
            type="button"
            className="flow-icon-button"
            aria-label={t('inspector.remove_item', { number: at + 1 })}
            disabled={isOff}
            onClick={() => onChange(value.filter((_held, number) => number !== at))}
          >
            <Icon name="close" size={14} />
          </button>
        </div>
      ))}
      <Button size="small" disabled={isOff} onClick={() => onChange([...value, {}])}>
        {t('inspector.add')}
      </Button>
    </div>
  );
}
