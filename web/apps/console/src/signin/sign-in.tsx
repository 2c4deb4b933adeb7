/** Signing in. Owns the two fields, their faults, and the wait after too many tries. */
import { useQueryClient } from '@tanstack/react-query';
import { Button, type InputRef } from 'antd';
import { type FormEvent, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { signIn } from '../api/calls.ts';
import { ApiError } from '../api/http.ts';
import { stopwatch } from '../format/time.ts';
import { switchLanguage } from '../i18n/setup.ts';
import { sentence } from '../parts/fault.tsx';
import { Icon } from '../parts/icon.tsx';
import { useNow } from '../parts/now.ts';
import { Field } from './field.tsx';
import { Frame } from './frame.tsx';
import { keepUser } from './session.ts';

/** When the server names no time, this long. */
const DEFAULT_WAIT_S = 30;

interface Faults {
  readonly login?: string;
  readonly password?: string;
  readonly form?: string;
}

export function SignIn() {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [login, setLogin] = useState('');
  const [password, setPassword] = useState('');
  const [faults, setFaults] = useState<Faults>({});
  const [isBusy, setBusy] = useState(false);
  const [until, setUntil] = useState(0);
  const now = useNow(1_000);
  const passwordInput = useRef<InputRef>(null);
  const left = until - now;
  const waiting = left > 0 ? stopwatch(left + 999, t) : null;

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (waiting !== null || isBusy) return;
    const missing: Faults = {
      ...(login.trim() === '' ? { login: t('signin.need_login') } : {}),
      ...(password === '' ? { password: t('signin.need_password') } : {}),
    };
    setFaults(missing);
    if (Object.keys(missing).length > 0) return;
    setBusy(true);
    try {
      const user = await signIn(login.trim(), password);
      await switchLanguage(user.locale);
      keepUser(queries, user);
    } catch (cause) {
      setBusy(false);
      if (cause instanceof ApiError && cause.code === 'too_many_tries') {
        setUntil(Date.now() + (cause.retryAfterS || DEFAULT_WAIT_S) * 1_000);
        return;
      }
      setFaults({ form: sentence(cause, t) });
      passwordInput.current?.focus({ cursor: 'all' });
    }
  };

  return (
    <Frame>
      <form className="gate-form" onSubmit={(event) => void submit(event)} noValidate>
        <header>
          <h1>{t('signin.heading')}</h1>
          <p>{t('signin.lead')}</p>
        </header>
        {waiting === null && faults.form !== undefined && (
          <p className="gate-fault" role="alert">
            <Icon name="alert" size={16} />
            {faults.form}
          </p>
        )}
        {waiting !== null && (
          <p className="gate-fault gate-wait" role="status">
            <Icon name="clock" size={16} />
            {t('signin.wait', { left: waiting })}
          </p>
        )}
        <Field
          label={t('signin.login')}
          value={login}
          onChange={setLogin}
          fault={faults.login}
          autoComplete="username"
          autoFocus
        />
        <Field
          label={t('signin.password')}
          value={password}
          onChange={setPassword}
          fault={faults.password}
          autoComplete="current-password"
          inputRef={passwordInput}
          secret
        />
        <Button
          type="primary"
          htmlType="submit"
          size="large"
          block
          loading={isBusy}
          disabled={waiting !== null}
        >
          {waiting === null ? t('signin.submit') : t('signin.wait_button', { left: waiting })}
        </Button>
        <p className="gate-hint">
          <Icon name="keys" size={16} />
          {t('signin.hint')}
        </p>
      </form>
    </Frame>
  );
}
