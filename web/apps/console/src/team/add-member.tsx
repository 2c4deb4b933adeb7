/** A new account, and its one-time password: shown once, to be copied. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Button, Drawer, Segmented } from 'antd';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { createUser } from '../api/calls.ts';
import { ApiError } from '../api/http.ts';
import type { Role } from '../api/types.ts';
import { sentence } from '../parts/fault.tsx';
import { Icon } from '../parts/icon.tsx';
import { Field } from '../signin/field.tsx';

const LOGIN = /^[a-z0-9._-]{2,32}$/;

export function AddMember({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Drawer
      open={isOpen}
      onClose={onClose}
      closable={{ 'aria-label': t('common.close') }}
      title={t('team.add')}
      size={400}
      styles={{ wrapper: { maxWidth: '100vw' } }}
      destroyOnHidden
      // The password is gone for good once this closes: not by a slip beside it.
      mask={{ closable: false }}
    >
      <Form onClose={onClose} />
    </Drawer>
  );
}

type Faults = Partial<Record<'login' | 'name' | 'form', string>>;

function Form({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [login, setLogin] = useState('');
  const [role, setRole] = useState<Role>('agent');
  const [faults, setFaults] = useState<Faults>({});
  const create = useMutation({
    mutationFn: createUser,
    onSuccess: () => queries.invalidateQueries({ queryKey: ['users'] }),
    onError: (cause) => {
      const said = sentence(cause, t);
      const atLogin =
        cause instanceof ApiError && (cause.code === 'login_taken' || cause.field === 'login');
      setFaults(atLogin ? { login: said } : { form: said });
    },
  });

  if (create.data !== undefined) {
    const { user, password } = create.data;
    return <Created name={user.name} login={user.login} password={password} onDone={onClose} />;
  }

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const found: Faults = {
      ...(name.trim() === '' ? { name: t('team.need_name') } : {}),
      ...(login.trim() === '' ? { login: t('team.need_login') } : {}),
      ...(login.trim() !== '' && !LOGIN.test(login.trim()) ? { login: t('team.bad_login') } : {}),
    };
    setFaults(found);
    if (Object.keys(found).length > 0) return;
    create.mutate({ login: login.trim(), name: name.trim(), role });
  };

  return (
    <form className="gate-form" onSubmit={submit} noValidate>
      {faults.form !== undefined && (
        <p className="gate-fault" role="alert">
          <Icon name="alert" size={16} />
          {faults.form}
        </p>
      )}
      <Field
        label={t('team.name')}
        value={name}
        onChange={setName}
        fault={faults.name}
        maxLength={80}
        autoFocus
      />
      <Field
        label={t('team.login')}
        value={login}
        onChange={setLogin}
        fault={faults.login}
        maxLength={32}
      />
      <div className="field">
        <span className="field-label" id="role-label">
          {t('team.role')}
        </span>
        <Segmented<Role>
          block
          aria-labelledby="role-label"
          value={role}
          onChange={setRole}
          options={[
            { label: t('team.agent'), value: 'agent' },
            { label: t('team.admin'), value: 'admin' },
          ]}
        />
        <p className="field-hint">{t(`team.${role}_text`)}</p>
      </div>
      <Button type="primary" htmlType="submit" size="large" block loading={create.isPending}>
        {t('team.create')}
      </Button>
    </form>
  );
}

interface CreatedProps {
  readonly name: string;
  readonly login: string;
  readonly password: string;
  readonly onDone: () => void;
}

function Created({ name, login, password, onDone }: CreatedProps) {
  const { t } = useTranslation();
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(password);
      setCopied(true);
    } catch {
      // Not allowed without TLS: the password can be selected and copied by hand.
      setCopied(false);
    }
  };
  return (
    <div className="created" role="status">
      <p className="created-title">
        <Icon name="check" size={18} />
        {t('team.created', { name })}
      </p>
      <dl className="facts">
        <div>
          <dt>{t('team.login')}</dt>
          <dd>{login}</dd>
        </div>
      </dl>
      <div className="created-password">
        <code>{password}</code>
        <Button icon={<Icon name="copy" size={16} />} onClick={() => void copy()}>
          {t(isCopied ? 'common.copied' : 'common.copy')}
        </Button>
      </div>
      <p className="field-hint">{t('team.password_once')}</p>
      <Button type="primary" size="large" block onClick={onDone}>
        {t('team.done')}
      </Button>
    </div>
  );
}
