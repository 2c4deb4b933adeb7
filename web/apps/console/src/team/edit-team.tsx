/** One team: its name, what belongs to it, and who is in it. Deleting asks once more, because it cannot be undone. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Button, Drawer, Input } from 'antd';
import { type FormEvent, useEffect, useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { deleteTeam, saveTeam, type TeamFields } from '../api/calls.ts';
import { ApiError } from '../api/http.ts';
import type { Team, Teammate } from '../api/types.ts';
import { Avatar } from '../parts/avatar.tsx';
import { sentence } from '../parts/fault.tsx';
import { Icon } from '../parts/icon.tsx';
import { toast } from '../parts/toast.tsx';
import { Field } from '../signin/field.tsx';

/** The server's, so that it is said before it is sent. */
const NAME_CHARS = 64;
const DESCRIPTION_CHARS = 500;
const UNSAYABLE = /[,，、:：;；{}"“”'`*]/;
const NOTHING = ['none', 'other', '无', '没有', '其他'];

interface EditTeamProps {
  /** `null`: a new one; `undefined`: none, the drawer is shut. */
  readonly team: Team | null | undefined;
  readonly users: readonly Teammate[];
  readonly onClose: () => void;
}

export function EditTeam({ team, users, onClose }: EditTeamProps) {
  const { t } = useTranslation();
  // While it slides out it still shows what it showed.
  const [last, setLast] = useState<Team | null>(null);
  useEffect(() => {
    if (team !== undefined) setLast(team);
  }, [team]);
  const shown = team === undefined ? last : team;
  return (
    <Drawer
      open={team !== undefined}
      onClose={onClose}
      closable={{ 'aria-label': t('common.close') }}
      title={t(shown === null ? 'teams.add' : 'teams.edit')}
      size={400}
      styles={{ wrapper: { maxWidth: '100vw' } }}
      destroyOnHidden
    >
      <Form team={shown} users={users} onClose={onClose} />
    </Drawer>
  );
}

type Faults = Partial<Record<'name' | 'form', string>>;

function Form({ team, users, onClose }: { team: Team | null } & Omit<EditTeamProps, 'team'>) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [name, setName] = useState(team?.name ?? '');
  const [description, setDescription] = useState(team?.description ?? '');
  const [members, setMembers] = useState<readonly number[]>(team?.members ?? []);
  const [faults, setFaults] = useState<Faults>({});
  const save = useMutation({
    mutationFn: (fields: TeamFields) => saveTeam(team?.id ?? null, fields),
    onSuccess: async (saved) => {
      await queries.invalidateQueries({ queryKey: ['teams'] });
      toast({ text: team === null ? t('teams.made', { name: saved.name }) : t('teams.saved') });
      onClose();
    },
    onError: (cause) => {
      const said = sentence(cause, t);
      const atName = cause instanceof ApiError && cause.field === 'name';
      setFaults(atName ? { name: said } : { form: said });
    },
  });

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const found: Faults = {
      ...(name.trim() === '' ? { name: t('teams.need_name') } : {}),
      ...(UNSAYABLE.test(name) ? { name: t('teams.bad_name') } : {}),
      ...(NOTHING.includes(name.trim().toLowerCase()) ? { name: t('teams.nothing_name') } : {}),
    };
    setFaults(found);
    if (Object.keys(found).length > 0) return;
    save.mutate({ name: name.trim(), description: description.trim(), members });
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
        label={t('teams.name')}
        value={name}
        onChange={setName}
        hint={t('teams.name_hint')}
        fault={faults.name}
        maxLength={NAME_CHARS}
        autoFocus={team === null}
      />
      <Description value={description} onChange={setDescription} />
      <Members users={users} members={members} onChange={setMembers} />
      <Button type="primary" htmlType="submit" size="large" block loading={save.isPending}>
        {t(team === null ? 'teams.add' : 'teams.save')}
      </Button>
      {team !== null && <Deleting team={team} onDone={onClose} />}
    </form>
  );
}

function Description({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const { t } = useTranslation();
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{t('teams.description')}</label>
      <Input.TextArea
        id={id}
        value={value}
        maxLength={DESCRIPTION_CHARS}
        autoSize={{ minRows: 2, maxRows: 6 }}
        onChange={(event) => onChange(event.target.value)}
        aria-describedby={`${id}-about`}
      />
      <div id={`${id}-about`} className="field-hint">
        {t('teams.description_hint')}
      </div>
    </div>
  );
}

interface MembersProps {
  readonly users: readonly Teammate[];
  readonly members: readonly number[];
  readonly onChange: (members: readonly number[]) => void;
}

function Members({ users, members, onChange }: MembersProps) {
  const { t } = useTranslation();
  const turn = (user: number, isIn: boolean) =>
    onChange(isIn ? [...members, user] : members.filter((member) => member !== user));
  return (
    <fieldset className="teams-members">
      <legend className="field-label">{t('teams.members')}</legend>
      <p className="field-hint">
        {t(members.length === 0 ? 'teams.nobody_text' : 'teams.members_hint')}
      </p>
      {users.map((user) => (
        <label key={user.id} className="teams-member">
          <input
            type="checkbox"
            checked={members.includes(user.id)}
            onChange={(event) => turn(user.id, event.target.checked)}
          />
          <Avatar id={`a${user.id}`} name={user.name} size={28} />
          <span className="clip">{user.name}</span>
          <span className="teams-login clip">{user.login}</span>
        </label>
      ))}
    </fieldset>
  );
}

function Deleting({ team, onDone }: { team: Team; onDone: () => void }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [isAsking, setAsking] = useState(false);
  const remove = useMutation({
    mutationFn: () => deleteTeam(team.id),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['teams'] });
      toast({ text: t('teams.deleted', { name: team.name }) });
      onDone();
    },
    onError: (cause) =>
      toast({ text: t('toast.failed', { why: sentence(cause, t) }), tone: 'fault' }),
  });
  if (!isAsking) {
    return (
      <Button type="text" danger block onClick={() => setAsking(true)}>
        {t('teams.delete')}
      </Button>
    );
  }
  return (
    <div className="teams-deleting">
      <p>{t('teams.delete_text')}</p>
      <div className="teams-sure">
        <Button danger loading={remove.isPending} onClick={() => remove.mutate()} autoFocus>
          {t('teams.delete_sure')}
        </Button>
        <Button type="text" onClick={() => setAsking(false)}>
          {t('common.cancel')}
        </Button>
      </div>
    </div>
  );
}
