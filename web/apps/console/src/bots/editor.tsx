/** A bot's settings as a form, for a new one as for one that is there. Owns what was typed and what is wrong with it. */
import { useMutation } from '@tanstack/react-query';
import { Button } from 'antd';
import { type FormEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type Bot, type BotList, type BotVersion, saveBot } from '../api/bots.ts';
import { ApiError } from '../api/http.ts';
import { sentence } from '../parts/fault.tsx';
import { Icon } from '../parts/icon.tsx';
import { Rule, Setting } from './fields.tsx';
import {
  type BotForm,
  changeOf,
  type Faults,
  faultField,
  faultsOf,
  formOf,
  isChanged,
  isShown,
  keyOf,
  originOf,
  specsOf,
} from './form.ts';
import { type FieldSpec, POLICY, type PolicySpec } from './platforms.ts';
import { useBotChanged } from './queries.ts';
import { botSentence } from './sentences.ts';
import { StandIns } from './stand-ins.tsx';
import { Input } from './text.tsx';
import { forget, keep, keptOf } from './unsaved.ts';

interface EditorProps {
  readonly list: BotList;
  readonly start: BotForm;
  /** What is stored; none for a new one. */
  readonly bot?: Bot;
  readonly base?: BotVersion;
  /** Saved, or there was nothing to save; `wantsCheck`: the button said so. */
  readonly onSaved: (bot: Bot, wantsCheck: boolean) => void;
  readonly onDirty?: (isDirty: boolean) => void;
  readonly children?: ReactNode;
}

const FOLDS = ['training', 'prices', 'more'] as const;
const GROUPS: readonly PolicySpec['group'][] = ['time', 'failing', 'load', 'budget'];

export function Editor({ list, start, bot, base, onSaved, onDirty, children }: EditorProps) {
  const { t, i18n } = useTranslation();
  const [key] = useState(() => bot?.id ?? `new ${start.kind}`);
  const stamp = base?.updated ?? 0;
  const [form, setForm] = useState(() => keptOf(key, stamp) ?? start);
  const [faults, setFaults] = useState<Faults>({});
  const [refused, setRefused] = useState<{ field: string; text: string }>();
  const place = useRef<HTMLFormElement>(null);
  const changed = useBotChanged();
  const isDirty = bot === undefined || base === undefined || isChanged(form, bot, base);
  const isElsewhere =
    bot !== undefined && base !== undefined && originOf(form) !== originOf(formOf(bot, base));
  const held = bot === undefined || isElsewhere ? [] : bot.secrets;
  const taken = bot === undefined ? list.bots.map(({ id }) => id) : [];

  useEffect(() => onDirty?.(isDirty), [isDirty, onDirty]);
  useEffect(() => {
    if (!isDirty) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener('beforeunload', ask);
    return () => window.removeEventListener('beforeunload', ask);
  }, [isDirty]);

  const save = useMutation({
    mutationFn: ({ wish }: { wish: BotForm; wantsCheck: boolean }) =>
      saveBot(wish.id.trim(), changeOf(wish, base)),
    onSuccess: async (saved, { wantsCheck }) => {
      forget(key);
      const [newest] = saved.versions;
      if (newest !== undefined) setForm(formOf(saved, newest));
      await changed(saved);
      onSaved(saved, wantsCheck);
    },
    onError: (cause) => {
      const said = sentence(cause, t);
      const field = cause instanceof ApiError ? faultField(cause.field, cause.message) : 'form';
      const text = field === 'form' ? said : said.replace(/^[a-z_]+: /, '');
      setRefused({ field, text: botSentence(text, i18n.language, t) });
    },
  });

  const change = (next: Partial<BotForm>) => {
    const typed = { ...form, ...next };
    setForm(typed);
    keep(key, stamp, typed);
    setRefused(undefined);
  };
  const submit = (wantsCheck: boolean) => {
    setRefused(undefined);
    const found = faultsOf(form, held, taken);
    setFaults(found);
    if (Object.keys(found).length > 0) {
      // After the faults are drawn, and what was folded away is open.
      setTimeout(() => {
        place.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
      });
      return;
    }
    if (!isDirty && bot !== undefined) onSaved(bot, wantsCheck);
    else save.mutate({ wish: form, wantsCheck });
  };
  // Once something was wrong, the words go as soon as it is right.
  const shownFaults = Object.keys(faults).length === 0 ? faults : faultsOf(form, held, taken);
  const count = Object.keys(shownFaults).length;
  const specs = specsOf(form.kind).filter((spec) => isShown(spec, form));
  /** Does a refusal stand at a field that can be seen? */
  const isPlaced = (field: string) =>
    field === 'id' ||
    field.startsWith('policy.') ||
    specs.some(({ name, secret }) => name === field && secret !== true);
  const drawn = (spec: FieldSpec) => (
    <Setting
      key={keyOf(spec)}
      spec={spec}
      form={form}
      held={held}
      isElsewhere={isElsewhere && (bot?.secrets.includes(spec.name) ?? false)}
      fault={shownFaults[keyOf(spec)]}
      refusal={spec.secret !== true && refused?.field === spec.name ? refused.text : undefined}
      onValue={(name, value) => change({ values: { ...form.values, [name]: value } })}
      onSecret={(name, draft) => change({ secrets: { ...form.secrets, [name]: draft } })}
    />
  );

  return (
    <form
      className="bots-form"
      ref={place}
      noValidate
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        submit(true);
      }}
    >
      <div className="bots-pair">
        <Input
          label={t('bots.form.name')}
          hint={t('bots.form.name_hint')}
          value={form.name}
          maxLength={80}
          fault={shownFaults.name && t(`bots.wrong.${shownFaults.name}`, { field: '' })}
          onChange={(name) => change({ name })}
        />
        {bot === undefined && (
          <Input
            label={t('bots.form.id')}
            hint={t('bots.form.id_hint')}
            value={form.id}
            maxLength={64}
            fault={
              (shownFaults.id && t(`bots.wrong.${shownFaults.id}`, { field: '' })) ??
              (refused?.field === 'id' ? refused.text : undefined)
            }
            onChange={(id) => change({ id })}
          />
        )}
      </div>
      {specs.filter(({ fold }) => fold === undefined).map(drawn)}
      {FOLDS.map((fold) => {
        const inside = specs.filter((spec) => spec.fold === fold);
        if (inside.length === 0) return null;
        const isWrong = inside.some(
          (spec) => shownFaults[keyOf(spec)] !== undefined || refused?.field === spec.name,
        );
        return (
          <Fold key={fold} title={t(`bots.form.${fold}`)} isWrong={isWrong}>
            <div className="bots-pairs">{inside.map(drawn)}</div>
          </Fold>
        );
      })}
      <Fold
        title={t('bots.form.policy')}
        text={t('bots.form.policy_text')}
        isWrong={[...Object.keys(shownFaults), refused?.field ?? ''].some((key) =>
          key.startsWith('policy.'),
        )}
      >
        {GROUPS.map((group) => (
          <fieldset key={group} className="bots-group">
            <legend>{t(`bots.form.group.${group}`)}</legend>
            <div className="bots-pairs">
              {POLICY.filter((spec) => spec.group === group).map((spec) => (
                <Rule
                  key={spec.name}
                  spec={spec}
                  value={form.policy[spec.name] ?? ''}
                  fault={shownFaults[`policy.${spec.name}`]}
                  refusal={refused?.field === `policy.${spec.name}` ? refused.text : undefined}
                  onChange={(value) => change({ policy: { ...form.policy, [spec.name]: value } })}
                />
              ))}
            </div>
            {group === 'failing' && (
              <StandIns list={list} form={form} onChange={(spares) => change({ spares })} />
            )}
          </fieldset>
        ))}
        <p className="field-hint">{t('bots.form.off')}</p>
      </Fold>
      {bot !== undefined && (
        <Input
          label={t('bots.form.note')}
          hint={t('bots.form.note_hint')}
          value={form.note}
          maxLength={200}
          isOptional
          onChange={(note) => change({ note })}
        />
      )}
      {refused !== undefined && !isPlaced(refused.field) && (
        <p className="gate-fault" role="alert">
          <Icon name="alert" size={16} />
          {refused.text}
        </p>
      )}
      <div className="bots-actions">
        <Button type="primary" htmlType="submit" loading={save.isPending}>
          {t(isDirty ? 'bots.form.save_check' : 'bots.form.check')}
        </Button>
        {isDirty && (
          <Button disabled={save.isPending} onClick={() => submit(false)}>
            {t('bots.form.save')}
          </Button>
        )}
        {isDirty && bot !== undefined && base !== undefined && (
          <Button
            type="text"
            disabled={save.isPending}
            onClick={() => {
              change(formOf(bot, base));
              forget(key);
              setFaults({});
            }}
          >
            {t('bots.form.discard')}
          </Button>
        )}
        {count > 0 && (
          <span className="field-fault" role="status">
            {t('bots.wrong.some', { count })}
          </span>
        )}
      </div>
      {children}
    </form>
  );
}

function Fold(props: { title: string; text?: string; isWrong: boolean; children: ReactNode }) {
  const [isOpen, setOpen] = useState(false);
  const id = useId();
  return (
    <details
      className="bots-fold"
      open={isOpen || props.isWrong}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary aria-describedby={props.text === undefined ? undefined : id}>
        <span>{props.title}</span>
        <Icon name="down" size={16} />
      </summary>
      {props.text !== undefined && (
        <p className="field-hint" id={id}>
          {props.text}
        </p>
      )}
      <div className="bots-folded">{props.children}</div>
    </details>
  );
}
