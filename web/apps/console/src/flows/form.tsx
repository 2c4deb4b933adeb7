/** A node's settings as a form, made from its fields. Owns no value: what is typed goes out, what is stored comes in. */
import { Button, Input, Switch } from 'antd';
import { type ReactNode, useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Settings } from '../api/flows.ts';
import { Icon } from '../parts/icon.tsx';
import {
  type BoxProps,
  ChoiceBox,
  DaysBox,
  MapBox,
  NumberBox,
  type Option,
  WordsBox,
} from './boxes.tsx';
import { useDesk } from './context.ts';
import { itemsOf } from './ports.ts';
import { type Field, newItem, settingOf, withValue } from './schema.ts';
import { sorted } from './shown.ts';
import { LabelsBox, Line, OptionsBox, TextsBox } from './texts.tsx';
import { choiceName, fieldHelp, fieldName, textsIn } from './words.ts';

interface FormProps {
  /** A kind of node, or the list that these are an item of. */
  readonly within: string;
  readonly kind: string;
  readonly fields: readonly Field[];
  readonly settings: Settings;
  /** By name of the setting what is wrong with it. */
  readonly faults?: ReadonlyMap<string, ReactNode>;
  readonly onChange: (settings: Settings, field: string) => void;
}

export function Form({ within, kind, fields, settings, faults, onChange }: FormProps) {
  const { t } = useTranslation('flows');
  const defaults = Object.fromEntries(
    fields.map((field) => [field.name, settingOf(settings, field)]),
  );
  const { usual, seldom } = sorted(within, fields, defaults);
  const row = (field: Field) => (
    <Row
      key={field.name}
      field={field}
      kind={kind}
      value={settingOf(settings, field)}
      fault={faults?.get(field.name)}
      onChange={(value) => onChange(withValue(settings, field, value), field.name)}
    />
  );
  const isOpen = seldom.some(({ name }) => settings[name] !== undefined || faults?.has(name));
  return (
    <div className="flow-form">
      {usual.map(row)}
      {seldom.length > 0 && (
        <details className="flow-seldom" open={isOpen}>
          <summary>{t('inspector.more')}</summary>
          <div className="flow-form">{seldom.map(row)}</div>
        </details>
      )}
    </div>
  );
}

interface RowProps {
  readonly field: Field;
  readonly kind: string;
  readonly value: unknown;
  readonly fault: ReactNode | undefined;
  readonly onChange: (value: unknown) => void;
}

/** Controls that are several: they are named as a group. */
const GROUPED: ReadonlySet<string> = new Set([
  'texts',
  'options',
  'map',
  'numbers',
  'labels',
  'list',
  'days',
]);

function Row({ field, kind, value, fault, onChange }: RowProps) {
  const id = `flow-${useId()}`;
  const label = fieldName(kind, field.name);
  const help = fieldHelp(kind, field.name);
  const about = help === undefined && fault === undefined ? undefined : `${id}-about`;
  const notes = about !== undefined && (
    <div id={about}>
      {help !== undefined && <p className="field-hint">{help}</p>}
      {fault !== undefined && <div className="field-fault">{fault}</div>}
    </div>
  );
  const control = (
    <Control
      field={field}
      kind={kind}
      id={id}
      label={label}
      value={value}
      isBad={fault !== undefined}
      describedBy={about}
      onChange={onChange}
    />
  );
  if (field.control === 'switch') {
    return (
      <div className="flow-field flow-field-switch">
        <label htmlFor={id}>{label}</label>
        {control}
        {notes}
      </div>
    );
  }
  if (GROUPED.has(field.control)) {
    return (
      // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be laid out as a grid everywhere
      <div className="flow-field" role="group" aria-label={label}>
        <span className="flow-label">{label}</span>
        {control}
        {notes}
      </div>
    );
  }
  return (
    <div className="flow-field">
      <label htmlFor={id}>{label}</label>
      {control}
      {notes}
    </div>
  );
}

interface ControlProps extends Omit<BoxProps<unknown>, 'isOff'> {
  readonly field: Field;
  readonly kind: string;
  readonly label: string;
}

const INTENTS = ['greeting', 'thanks', 'goodbye', 'handoff', 'anger', 'chitchat', 'question'];

function Control({ field, kind, label, value, onChange, ...rest }: ControlProps) {
  const { t } = useTranslation('flows');
  const { isReadOnly } = useDesk();
  const box = { ...rest, isOff: isReadOnly };
  switch (field.control) {
    case 'texts':
      return (
        <TextsBox
          {...box}
          value={textsIn(value)}
          label={label}
          isShort={SHORT.has(field.name)}
          onChange={onChange}
        />
      );
    case 'options':
      return <OptionsBox {...box} value={value} onChange={onChange} />;
    case 'labels':
      return <LabelsBox {...box} value={itemsOf(value).map(textsIn)} onChange={onChange} />;
    case 'list':
      return (
        <ListBox
          field={field}
          kind={kind}
          value={itemsOf(value)}
          isOff={isReadOnly}
          onChange={onChange}
        />
      );
    case 'map':
      return <MapBox {...box} value={textsIn(value)} onChange={onChange} />;
    case 'numbers':
      return (
        <MapBox
          {...box}
          value={Object.fromEntries(
            Object.entries(value as object).map(([k, v]) => [k, String(v)]),
          )}
          onChange={(pairs) =>
            onChange(Object.fromEntries(Object.entries(pairs).map(([k, v]) => [k, Number(v) || 0])))
          }
        />
      );
    case 'number':
    case 'share':
    case 'seconds':
      return (
        <NumberBox
          {...box}
          value={typeof value === 'number' ? value : null}
          isWhole={field.isWhole}
          mayBeNull={field.mayBeNull}
          {...(field.control === 'seconds' ? { unit: t('inspector.seconds') } : {})}
          onChange={onChange}
        />
      );
    case 'switch':
      return (
        <Switch
          id={box.id}
          aria-label={label}
          checked={value === true}
          disabled={isReadOnly}
          onChange={onChange}
        />
      );
    case 'words':
      return (
        <WordsBox
          {...box}
          value={Array.isArray(value) ? value.map(String) : []}
          {...(field.name === 'intents' ? { suggestions: INTENTS } : {})}
          onChange={onChange}
        />
      );
    case 'days':
      return (
        <DaysBox
          {...box}
          label={label}
          value={Array.isArray(value) ? value.map(Number) : []}
          onChange={onChange}
        />
      );
    case 'choice':
      return (
        <ChoiceBox
          {...box}
          value={String(value)}
          options={field.choices.map((choice) => ({
            value: choice,
            label: choiceName(field.name, choice),
          }))}
          onChange={onChange}
        />
      );
    case 'bot':
    case 'flow':
    case 'team':
      return <ElsewhereBox {...box} what={field.control} value={value} onChange={onChange} />;
    case 'raw':
      return <Input.TextArea id={box.id} value={JSON.stringify(value)} readOnly autoSize />;
    default:
      return (
        <Line
          {...box}
          value={String(value ?? '')}
          isLong={field.name === 'body'}
          onChange={onChange}
        />
      );
  }
}

const SHORT: ReadonlySet<string> = new Set(['label', 'title']);

function ElsewhereBox({
  what,
  value,
  onChange,
  ...box
}: BoxProps<unknown> & { what: 'bot' | 'flow' | 'team' }) {
  const { t } = useTranslation('flows');
  const { names, flow } = useDesk();
  const found: Option[] =
    what === 'team'
      ? [...names.teams].map(([id, label]) => ({ value: String(id), label }))
      : [...(what === 'bot' ? names.bots : names.flows)]
          .filter(([id]) => what === 'bot' || id !== flow)
          .map(([id, label]) => ({ value: id, label }));
  const none: readonly Option[] =
    what === 'flow'
      ? []
      : [
          {
            value: what === 'team' ? '0' : '',
            label: t(what === 'team' ? 'inspector.everybody' : 'inspector.usual'),
          },
        ];
  return (
    <ChoiceBox
      {...box}
      value={String(value)}
      options={[...none, ...found]}
      onChange={(chosen) => onChange(what === 'team' ? Number(chosen) : chosen)}
    />
  );
}

interface ListProps {
  readonly field: Field;
  readonly kind: string;
  readonly value: readonly Settings[];
  readonly isOff: boolean;
  readonly onChange: (value: readonly Settings[]) => void;
}

let lastKey = 0;

/** Several of the same, each with settings of its own. */
function ListBox({ field, kind, value, isOff, onChange }: ListProps) {
  const { t } = useTranslation('flows');
  const [keys] = useState(() => new WeakMap<Settings, number>());
  const keyOf = (item: Settings): number => {
    const held = keys.get(item);
    if (held !== undefined) return held;
    lastKey += 1;
    keys.set(item, lastKey);
    return lastKey;
  };
  const put = (at: number, item: Settings) => {
    // The one that is typed into stays the same one.
    const key = value[at] && keys.get(value[at]);
    if (key !== undefined) keys.set(item, key);
    onChange(value.map((held, number) => (number === at ? item : held)));
  };
  return (
    <div className="flow-items">
      {value.map((item, at) => (
        <fieldset
          key={keyOf(item)}
          className="flow-item flow-item-card"
          aria-label={t('inspector.item', { number: at + 1 })}
        >
          <div className="flow-item-head">
            <span>{at + 1}</span>
            {at > 0 && (
              <button
                type="button"
                className="flow-icon-button flow-icon-up"
                aria-label={t('inspector.up', { number: at + 1 })}
                disabled={isOff}
                onClick={() => onChange(value.toSpliced(at, 1).toSpliced(at - 1, 0, item))}
              >
                <Icon name="send" size={14} />
              </button>
            )}
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
          <Form
            within={field.name}
            kind={kind}
            fields={field.fields}
            settings={item}
            onChange={(settings) => put(at, settings)}
          />
        </fieldset>
      ))}
      <Button
        size="small"
        disabled={isOff}
        onClick={() => onChange([...value, newItem(field, value)])}
      >
        {t('inspector.add')}
      </Button>
    </div>
  );
}
