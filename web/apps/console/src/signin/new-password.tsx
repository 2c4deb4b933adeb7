/** Choosing a new password: forced after a one-time password, or from the settings. Judges while typing. */
import { useQueryClient } from '@tanstack/react-query';
import { Button } from 'antd';
import type { TFunction } from 'i18next';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { changePassword } from '../api/calls.ts';
import { ApiError } from '../api/http.ts';
import type { User } from '../api/types.ts';
import { sentence } from '../parts/fault.tsx';
import { Icon } from '../parts/icon.tsx';
import { Field } from './field.tsx';
import { keepUser } from './session.ts';
import { type Strength, strengthOf } from './strength.ts';

type Faults = Partial<Record<'current' | 'next' | 'again' | 'form', string>>;

export function NewPassword({ user, onDone }: { user: User; onDone?: () => void }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const [again, setAgain] = useState('');
  const [faults, setFaults] = useState<Faults>({});
  const [isBusy, setBusy] = useState(false);
  const strength = strengthOf(next, user.login);

  const judge = (): Faults => {
    if (current === '') return { current: t('password.need_current') };
    if (strength.grade === 'empty' || strength.grade === 'short' || strength.grade === 'common') {
      return { next: t('errors.weak_password') };
    }
    if (next === current) return { next: t('password.same') };
    if (next !== again) return { again: t('password.differs') };
    return {};
  };

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const found = judge();
    setFaults(found);
    if (Object.keys(found).length > 0 || isBusy) return;
    setBusy(true);
    try {
      keepUser(queries, await changePassword(current, next));
      onDone?.();
    } catch (cause) {
      setFaults(faultOf(cause, t('password.wrong_current'), sentence(cause, t)));
    } finally {
      setBusy(false);
    }
  };

  return (
    <form className="gate-form" onSubmit={(event) => void submit(event)} noValidate>
      <header>
        <h1>{t('password.heading')}</h1>
        {user.must_change_password && <p>{t('password.lead')}</p>}
      </header>
      {faults.form !== undefined && (
        <p className="gate-fault" role="alert">
          <Icon name="alert" size={16} />
          {faults.form}
        </p>
      )}
      {/* Password managers file the new password under this name. */}
      <input type="text" hidden readOnly autoComplete="username" value={user.login} />
      <Field
        label={t('password.current')}
        value={current}
        onChange={setCurrent}
        fault={faults.current}
        autoComplete="current-password"
        autoFocus
        secret
      />
      <Field
        label={t('password.next')}
        value={next}
        onChange={setNext}
        fault={faults.next}
        hint={<Meter strength={strength} />}
        autoComplete="new-password"
        secret
      />
      <Field
        label={t('password.again')}
        value={again}
        onChange={setAgain}
        fault={faults.again}
        autoComplete="new-password"
        secret
      />
      <Button type="primary" htmlType="submit" size="large" block loading={isBusy}>
        {t(user.must_change_password ? 'password.submit' : 'common.save')}
      </Button>
    </form>
  );
}

function faultOf(cause: unknown, wrongCurrent: string, said: string): Faults {
  if (!(cause instanceof ApiError)) return { form: said };
  if (cause.code === 'wrong_password') return { current: wrongCurrent };
  if (cause.field === 'current') return { current: said };
  if (cause.code === 'weak_password' || cause.field === 'new') return { next: said };
  return { form: said };
}

const BARS: Record<Strength['grade'], number> = {
  empty: 0,
  short: 1,
  common: 1,
  weak: 2,
  fair: 3,
  strong: 4,
};

function Meter({ strength }: { strength: Strength }) {
  const { t } = useTranslation();
  const bars = BARS[strength.grade];
  return (
    <span className={`meter meter-${strength.grade}`}>
      <span className="meter-bars" aria-hidden="true">
        {[1, 2, 3, 4].map((bar) => (
          <i key={bar} className={bar <= bars ? 'on' : ''} />
        ))}
      </span>
      <span aria-live="polite">{wordFor(strength, t)}</span>
    </span>
  );
}

function wordFor(strength: Strength, t: TFunction): string {
  switch (strength.grade) {
    case 'empty':
      return t('password.rule');
    case 'short':
      return t('password.short', { count: strength.missing });
    default:
      return t(`password.${strength.grade}`);
  }
}
