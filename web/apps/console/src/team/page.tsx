/** Who may sign in, and in which teams they are. Owns the list of people; adding is a drawer of its own. */
import { useQuery } from '@tanstack/react-query';
import { Button } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { listUsers } from '../api/calls.ts';
import type { Teammate } from '../api/types.ts';
import { useLink } from '../live/context.tsx';
import { Avatar } from '../parts/avatar.tsx';
import { Blank } from '../parts/blank.tsx';
import { Fault } from '../parts/fault.tsx';
import { useMe } from '../signin/session.ts';
import { AddMember } from './add-member.tsx';
import { Teams } from './teams.tsx';
import './team.css';

const REFRESH_MS = 30_000;

export function TeamPage() {
  const { t } = useTranslation();
  const me = useMe();
  const [isAdding, setAdding] = useState(false);
  const isAdmin = me.role === 'admin';
  const users = useQuery({
    queryKey: ['users'],
    queryFn: ({ signal }) => listUsers(signal),
    refetchInterval: REFRESH_MS,
    enabled: isAdmin,
  });
  if (!isAdmin) {
    return (
      <main className="back-page">
        <h1 className="hidden-text">{t('team.heading')}</h1>
        <Blank icon="team" title={t('team.no_permission')} text={t('team.no_permission_text')} />
      </main>
    );
  }
  return (
    <main className="back-page">
      <div className="back-inner">
        <header className="back-head">
          <h1>{t('team.heading')}</h1>
          <p>{t('team.lead')}</p>
          <Button type="primary" onClick={() => setAdding(true)}>
            {t('team.add')}
          </Button>
        </header>
        <div className="sheet">
          {users.data === undefined ? (
            users.error === null ? (
              <Bones />
            ) : (
              <Fault error={users.error} retry={() => void users.refetch()} />
            )
          ) : (
            <Table users={users.data} me={me.id} />
          )}
        </div>
        {users.data !== undefined && <Teams users={users.data} />}
      </div>
      <AddMember isOpen={isAdding} onClose={() => setAdding(false)} />
    </main>
  );
}

function Table({ users, me }: { users: readonly Teammate[]; me: number }) {
  const { t } = useTranslation();
  // The list may be older than our own connection.
  const isHere = useLink().phase === 'online';
  return (
    <table className="team">
      <thead>
        <tr>
          <th scope="col">{t('team.name')}</th>
          <th scope="col">{t('team.role')}</th>
          <th scope="col">{t('team.state')}</th>
        </tr>
      </thead>
      <tbody>
        {users.map((user) => (
          <tr key={user.id}>
            <td>
              <span className="team-who">
                <Avatar id={`a${user.id}`} name={user.name} size={34} />
                <span className="team-names">
                  <b className="clip">{user.name}</b>
                  <span className="clip">
                    {user.login}
                    {user.id === me && ` · ${t('team.you')}`}
                  </span>
                </span>
              </span>
            </td>
            <td>{t(`team.${user.role}`)}</td>
            <td>
              <State user={user} isOnline={user.online || (user.id === me && isHere)} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function State({ user, isOnline }: { user: Teammate; isOnline: boolean }) {
  const { t } = useTranslation();
  return (
    <span className={isOnline ? 'team-state team-online' : 'team-state'}>
      {t(isOnline ? 'team.online' : 'team.offline')}
      {!user.accepting && <span className="team-paused">{t('team.paused')}</span>}
    </span>
  );
}

function Bones() {
  return (
    <div className="team-bones" aria-hidden="true">
      {[40, 52, 46].map((width) => (
        <span key={width} className="bone" style={{ width: `${width}%`, height: 34 }} />
      ))}
    </div>
  );
}
