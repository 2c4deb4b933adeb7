/** My name, my language, whether I take new conversations, how I am called, how it looks, and the way out. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Button, Segmented, Switch } from 'antd';
import { type FormEvent, type ReactNode, useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { changeProfile, type ProfileChange, signOut } from '../api/calls.ts';
import type { Locale, User } from '../api/types.ts';
import { chime } from '../notify/announce.ts';
import { askPermission, changePrefs, permission, usePrefs } from '../notify/prefs.ts';
import { sentence } from '../parts/fault.tsx';
import { Icon } from '../parts/icon.tsx';
import { toast } from '../parts/toast.tsx';
import { Field } from '../signin/field.tsx';
import { NewPassword } from '../signin/new-password.tsx';
import { keepUser, useMe } from '../signin/session.ts';
import { type Mode, setMode, useMode } from '../theme/mode.ts';
import './settings.css';

export function SettingsPage() {
  const { t } = useTranslation();
  const me = useMe();
  const save = useSave(me);
  return (
    <main className="back-page">
      <div className="back-inner settings">
        <header className="back-head">
          <h1>{t('settings.heading')}</h1>
        </header>
        <Part title={t('settings.profile')}>
          <Name me={me} onSave={(name) => save.mutate({ name })} />
          <Line label={t('settings.login')}>
            <span className="settings-value">
              {me.login} · {t(`team.${me.role}`)}
            </span>
          </Line>
        </Part>
        <Part title={t('settings.work')}>
          <Line label={t('settings.accepting')} text={t('settings.accepting_text')}>
            <Switch
              aria-label={t('settings.accepting')}
              checked={me.accepting}
              onChange={(accepting) => save.mutate({ accepting })}
            />
          </Line>
          <Calls />
        </Part>
        <Part title={t('settings.look')}>
          <Theme />
          <Line label={t('settings.language')}>
            <Segmented<Locale>
              aria-label={t('settings.language')}
              value={me.locale}
              onChange={(locale) => save.mutate({ locale })}
              options={[
                { label: '中文', value: 'zh-CN' },
                { label: 'English', value: 'en' },
              ]}
            />
          </Line>
        </Part>
        <Part title={t('settings.account')}>
          <Account me={me} />
        </Part>
      </div>
    </main>
  );
}

function useSave(me: User) {
  const queries = useQueryClient();
  const { t } = useTranslation();
  return useMutation({
    mutationFn: (change: ProfileChange) => changeProfile(change),
    // Shown at once and put back when refused: a switch that hesitates feels broken.
    onMutate: (change) => keepUser(queries, { ...me, ...change }),
    onSuccess: (user, change) => {
      keepUser(queries, user);
      if (change.name !== undefined) toast({ text: t('settings.saved') });
    },
    onError: (cause) => {
      keepUser(queries, me);
      toast({ text: t('toast.failed', { why: sentence(cause, t) }), tone: 'fault' });
    },
  });
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  const id = useId();
  return (
    <section className="sheet settings-part" aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {children}
    </section>
  );
}

function Line(props: { label: string; text?: string; children: ReactNode }) {
  return (
    <div className="settings-line">
      <div className="settings-words">
        <p>{props.label}</p>
        {props.text !== undefined && <p className="field-hint">{props.text}</p>}
      </div>
      {props.children}
    </div>
  );
}

function Name({ me, onSave }: { me: User; onSave: (name: string) => void }) {
  const { t } = useTranslation();
  const [name, setName] = useState(me.name);
  const [fault, setFault] = useState<string>();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setFault(name.trim() === '' ? t('settings.need_name') : undefined);
    if (name.trim() !== '') onSave(name.trim());
  };
  return (
    <form className="settings-name" onSubmit={submit} noValidate>
      <Field
        label={t('settings.name')}
        value={name}
        onChange={setName}
        hint={t('settings.name_hint')}
        fault={fault}
        maxLength={80}
        autoComplete="name"
      />
      <Button htmlType="submit" disabled={name.trim() === me.name}>
        {t('common.save')}
      </Button>
    </form>
  );
}

function Calls() {
  const { t } = useTranslation();
  const prefs = usePrefs();
  const [allowed, setAllowed] = useState(permission);
  const isDenied = allowed === 'denied';
  const turn = async (on: boolean) => {
    if (!on) return changePrefs({ desktop: false });
    const answer = allowed === 'granted' ? allowed : await askPermission();
    setAllowed(answer);
    changePrefs({ desktop: answer === 'granted' });
  };
  return (
    <>
      {allowed !== 'unsupported' && (
        <Line
          label={t('settings.notify')}
          text={t(isDenied ? 'settings.notify_denied' : 'settings.notify_text')}
        >
          <Switch
            aria-label={t('settings.notify')}
            checked={prefs.desktop && allowed === 'granted'}
            disabled={isDenied}
            onChange={(on) => void turn(on)}
          />
        </Line>
      )}
      <Line label={t('settings.sound')} text={t('settings.sound_text')}>
        <Switch
          aria-label={t('settings.sound')}
          checked={prefs.sound}
          onChange={(sound) => {
            changePrefs({ sound });
            if (sound) chime();
          }}
        />
      </Line>
    </>
  );
}

function Theme() {
  const { t } = useTranslation();
  const mode = useMode();
  return (
    <Line label={t('settings.theme')}>
      <Segmented<Mode>
        aria-label={t('settings.theme')}
        value={mode}
        onChange={setMode}
        options={(['auto', 'light', 'dark'] as const).map((value) => ({
          label: t(`settings.${value}`),
          value,
        }))}
      />
    </Line>
  );
}

function Account({ me }: { me: User }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [isChanging, setChanging] = useState(false);
  const leave = async () => {
    try {
      await signOut();
      keepUser(queries, null);
    } catch (cause) {
      toast({ text: t('toast.failed', { why: sentence(cause, t) }), tone: 'fault' });
    }
  };
  if (isChanging) {
    return (
      <div className="settings-password">
        <NewPassword
          user={me}
          onDone={() => {
            setChanging(false);
            toast({ text: t('settings.saved') });
          }}
        />
        <Button type="text" onClick={() => setChanging(false)}>
          {t('common.cancel')}
        </Button>
      </div>
    );
  }
  return (
    <div className="settings-account">
      <Button onClick={() => setChanging(true)}>{t('settings.change_password')}</Button>
      <Button icon={<Icon name="exit" size={16} />} onClick={() => void leave()}>
        {t('settings.sign_out')}
      </Button>
    </div>
  );
}
