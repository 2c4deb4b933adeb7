/** One field of the form with its label, its help and what is wrong with it, tied together for screen readers. */
import { Button, Input, Segmented, Switch } from 'antd';
import { type ReactNode, useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Icon } from '../parts/icon.tsx';
import { type BotForm, type Fault, hasSecret, keyOf, oddityOf, type SecretDraft } from './form.ts';
import type { FieldSpec, PolicySpec } from './platforms.ts';
import { fieldHint, fieldName, valueName } from './words.ts';

/** Addresses worth offering where a platform has several. */
const ADDRESSES: Readonly<Record<string, readonly string[]>> = {
  coze: ['https://api.coze.cn', 'https://api.coze.com'],
  openai: [
    'https://api.openai.com/v1',
    'https://api.deepseek.com',
    'https://dashscope.aliyuncs.com/compatible-mode/v1',
    'http://127.0.0.1:11434/v1',
    'http://127.0.0.1:8000/v1',
  ],
};

interface LabelledProps {
  readonly id: string;
  readonly label: string;
  readonly hint?: ReactNode;
  readonly odd?: string | undefined;
  readonly fault?: string | undefined;
  readonly isOptional?: boolean;
  readonly children: ReactNode;
  /** The label is not of an input but of a group. */
  readonly isGroup?: boolean;
}

export function Labelled(props: LabelledProps) {
  const { id, label, hint, odd, fault, isOptional = false, isGroup = false } = props;
  const { t } = useTranslation();
  const words = (
    <>
      {label}
      {isOptional && <span className="bots-optional">{t('bots.form.optional')}</span>}
    </>
  );
  return (
    <div className="field">
      {isGroup ? (
        <span className="field-label" id={`${id}-label`}>
          {words}
        </span>
      ) : (
        <label htmlFor={id}>{words}</label>
      )}
      {props.children}
      {(fault ?? hint ?? odd) !== undefined && (
        <div id={`${id}-about`}>
          {fault !== undefined ? (
            <p className="field-fault">{fault}</p>
          ) : (
            hint !== undefined && <p className="field-hint">{hint}</p>
          )}
          {odd !== undefined && <p className="field-odd">{odd}</p>}
        </div>
      )}
    </div>
  );
}

interface SettingProps {
  readonly spec: FieldSpec;
  readonly form: BotForm;
  readonly held: readonly string[];
  /** A secret is stored, but for another address. */
  readonly isElsewhere: boolean;
  readonly fault: Fault | undefined;
  /** What the server said of it. */
  readonly refusal: string | undefined;
  readonly onValue: (name: string, value: string) => void;
  readonly onSecret: (name: string, draft: SecretDraft) => void;
}

export function Setting(props: SettingProps) {
  const { spec, form, fault } = props;
  const { t } = useTranslation();
  const id = `bot-${useId()}`;
  const label = fieldName(form.kind, spec.name, t);
  const odd = oddityOf(spec, form);
  const about: LabelledProps = {
    id,
    label,
    hint: fieldHint(form.kind, spec, t),
    odd: odd && t(`bots.odd.${odd}`, { prefix: spec.prefix ?? '' }),
    fault: fault === undefined ? props.refusal : t(`bots.wrong.${fault}`, { field: label }),
    children: null,
  };
  const described = (about.fault ?? about.hint ?? about.odd) !== undefined;
  const aria = {
    id,
    'data-field': keyOf(spec),
    'aria-invalid': about.fault !== undefined,
    ...(described ? { 'aria-describedby': `${id}-about` } : {}),
    ...(about.fault === undefined ? {} : { status: 'error' as const }),
  };
  if (spec.secret === true) return <Secret {...props} about={about} aria={aria} />;
  const value = form.values[spec.name] ?? '';
  const set = (next: string) => props.onValue(spec.name, next);
  switch (spec.kind) {
    case 'switch':
      return (
        <div className="bots-switch">
          <Labelled {...about}>{null}</Labelled>
          <Switch
            id={id}
            aria-label={label}
            checked={(value || spec.standard) === 'true'}
            onChange={(on) => set(String(on))}
          />
        </div>
      );
    case 'choice':
      return (
        <Labelled {...about} isGroup>
          <Segmented
            className="bots-choice"
            aria-labelledby={`${id}-label`}
            value={value || (spec.standard ?? '')}
            onChange={set}
            options={(spec.choices ?? []).map((one) => ({ value: one, label: valueName(one, t) }))}
          />
        </Labelled>
      );
    case 'long':
    case 'json':
      return (
        <Labelled {...about} isOptional={spec.required !== true}>
          <Input.TextArea
            {...aria}
            value={value}
            autoSize={{ minRows: spec.kind === 'json' ? 2 : 4, maxRows: 14 }}
            placeholder={spec.example ?? ''}
            spellCheck={spec.kind === 'long'}
            onChange={(event) => set(event.target.value)}
          />
        </Labelled>
      );
    default:
      return <Line {...props} about={about} aria={aria} value={value} set={set} />;
  }
}

function Line(
  props: SettingProps & {
    about: LabelledProps;
    aria: object;
    value: string;
    set: (next: string) => void;
  },
) {
  const { spec, form, about, aria, value, set } = props;
  const { t } = useTranslation();
  const addresses = spec.kind === 'url' ? ADDRESSES[form.kind] : undefined;
  return (
    <Labelled {...about} isOptional={spec.required !== true && spec.standard === undefined}>
      <Input
        {...aria}
        value={value}
        maxLength={spec.kind === 'url' ? 500 : 200}
        inputMode={spec.kind === 'number' ? 'decimal' : spec.kind === 'url' ? 'url' : 'text'}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        placeholder={
          spec.standard === undefined
            ? (spec.example ?? '')
            : t('bots.form.standard', { value: spec.standard })
        }
        suffix={spec.unit && <span className="bots-unit">{t(`bots.unit.${spec.unit}`)}</span>}
        {...(addresses === undefined ? {} : { list: `${about.id}-list` })}
        onChange={(event) => set(event.target.value)}
      />
      {addresses !== undefined && (
        <datalist id={`${about.id}-list`}>
          {addresses.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      )}
    </Labelled>
  );
}

function Secret(props: SettingProps & { about: LabelledProps; aria: object }) {
  const { spec, form, held, isElsewhere, about, aria } = props;
  const { t } = useTranslation();
  const [isShown, setShown] = useState(false);
  const draft = form.secrets[spec.name];
  const isHeld = held.includes(spec.name);
  const tell = (next: SecretDraft) => props.onSecret(spec.name, next);
  if (isHeld && (draft === undefined || draft.mode === 'kept')) {
    return (
      <Labelled {...about} isGroup>
        <div className="bots-secret">
          <Icon name="check" size={16} />
          <span>{t('bots.secret.entered')}</span>
          <Button size="small" onClick={() => tell({ mode: 'entered', text: '' })}>
            {t('bots.secret.replace')}
            <span className="hidden-text"> {about.label}</span>
          </Button>
          {spec.required !== true && (
            <Button size="small" onClick={() => tell({ mode: 'removed' })}>
              {t('bots.secret.remove')}
              <span className="hidden-text"> {about.label}</span>
            </Button>
          )}
        </div>
      </Labelled>
    );
  }
  if (draft?.mode === 'removed') {
    return (
      <Labelled {...about} isGroup>
        <div className="bots-secret bots-secret-off">
          <span>{t('bots.secret.removed')}</span>
          <Button size="small" onClick={() => tell({ mode: 'kept' })}>
            {t('common.undo')}
          </Button>
        </div>
      </Labelled>
    );
  }
  const text = draft?.mode === 'entered' ? draft.text : '';
  const enter = (next: string) => tell({ mode: 'entered', text: next });
  const odd =
    isElsewhere && !hasSecret(spec.name, form, held) ? t('bots.secret.elsewhere') : about.odd;
  const common = {
    ...aria,
    value: text,
    autoComplete: 'new-password',
    autoCapitalize: 'none',
    spellCheck: false,
    ...(isHeld ? { autoFocus: true } : {}),
  };
  return (
    <Labelled
      {...about}
      odd={odd}
      hint={isHeld ? t('bots.form.secret_live') : about.hint}
      isOptional={spec.required !== true}
    >
      {spec.kind === 'long' ? (
        <Input.TextArea
          {...common}
          className="bots-pem"
          autoSize={{ minRows: 4, maxRows: 8 }}
          placeholder="-----BEGIN PRIVATE KEY-----"
          onChange={(event) => enter(event.target.value)}
        />
      ) : (
        <Input
          {...common}
          type={isShown ? 'text' : 'password'}
          placeholder={spec.prefix === undefined ? '' : `${spec.prefix}…`}
          onChange={(event) => enter(event.target.value)}
          suffix={
            <button
              type="button"
              className="plain-button field-eye"
              aria-label={t(isShown ? 'signin.hide' : 'signin.show')}
              aria-pressed={isShown}
              onClick={() => setShown(!isShown)}
            >
              <Icon name={isShown ? 'blind' : 'eye'} />
            </button>
          }
        />
      )}
      {isHeld && (
        <button type="button" className="bots-link" onClick={() => tell({ mode: 'kept' })}>
          {t('bots.secret.keep')}
        </button>
      )}
    </Labelled>
  );
}

interface RuleProps {
  readonly spec: PolicySpec;
  readonly value: string;
  readonly fault: Fault | undefined;
  readonly refusal: string | undefined;
  readonly onChange: (value: string) => void;
}

export function Rule({ spec, value, fault, refusal, onChange }: RuleProps) {
  const { t } = useTranslation();
  const said = fault === undefined ? refusal : t(`bots.wrong.${fault}`, { field: '' });
  const id = `bot-${useId()}`;
  return (
    <Labelled id={id} label={t(`bots.policy.${spec.name}` as 'bots.policy.idle_s')} fault={said}>
      <Input
        id={id}
        data-field={`policy.${spec.name}`}
        value={value}
        inputMode="decimal"
        autoComplete="off"
        aria-invalid={said !== undefined}
        placeholder={t('bots.form.standard', { value: spec.standard })}
        suffix={spec.unit && <span className="bots-unit">{t(`bots.unit.${spec.unit}`)}</span>}
        {...(said === undefined
          ? {}
          : { status: 'error' as const, 'aria-describedby': `${id}-about` })}
        onChange={(event) => onChange(event.target.value)}
      />
    </Labelled>
  );
}
