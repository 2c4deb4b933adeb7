/** Teams: whom a conversation of one sort goes to first. Owns the list; making and changing is a drawer of its own. */
import { useQuery } from '@tanstack/react-query';
import { Button } from 'antd';
import { useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { listTeams } from '../api/calls.ts';
import type { Team, Teammate } from '../api/types.ts';
import { Avatar } from '../parts/avatar.tsx';
import { Blank } from '../parts/blank.tsx';
import { Fault } from '../parts/fault.tsx';
import { Icon } from '../parts/icon.tsx';
import { EditTeam } from './edit-team.tsx';
import './teams.css';

/** More faces say no more than a number does. */
const FACES = 4;

export function Teams({ users }: { users: readonly Teammate[] }) {
  const { t } = useTranslation();
  const id = useId();
  /** What the drawer shows: a team, a new one (`null`), or nothing. */
  const [editing, setEditing] = useState<Team | null>();
  const teams = useQuery({ queryKey: ['teams'], queryFn: ({ signal }) => listTeams(signal) });
  return (
    <section className="teams" aria-labelledby={id}>
      <header className="back-head">
        <h2 id={id}>{t('teams.heading')}</h2>
        <p>{t('teams.lead')}</p>
        <Button onClick={() => setEditing(null)}>{t('teams.add')}</Button>
      </header>
      <div className="sheet">
        {teams.data !== undefined ? (
          <List teams={teams.data} users={users} onOpen={setEditing} />
        ) : teams.error === null ? (
          <Bones />
        ) : (
          <Fault error={teams.error} retry={() => void teams.refetch()} />
        )}
      </div>
      <EditTeam team={editing} users={users} onClose={() => setEditing(undefined)} />
    </section>
  );
}

interface ListProps {
  readonly teams: readonly Team[];
  readonly users: readonly Teammate[];
  readonly onOpen: (team: Team) => void;
}

function List({ teams, users, onOpen }: ListProps) {
  const { t } = useTranslation();
  if (teams.length === 0) {
    return <Blank icon="team" title={t('teams.empty')} text={t('teams.empty_text')} />;
  }
  return (
    <ul>
      {teams.map((team) => (
        <li key={team.id}>
          <button type="button" className="plain-button teams-row" onClick={() => onOpen(team)}>
            <span className="team-names">
              <b className="clip">{team.name}</b>
              {team.description !== '' && <span className="teams-about">{team.description}</span>}
            </span>
            <Faces members={users.filter((user) => team.members.includes(user.id))} />
            <Icon name="right" size={18} />
          </button>
        </li>
      ))}
    </ul>
  );
}

function Faces({ members }: { members: readonly Teammate[] }) {
  const { t } = useTranslation();
  if (members.length === 0) return <span className="team-paused">{t('teams.nobody')}</span>;
  return (
    <span className="teams-faces">
      {members.slice(0, FACES).map((user) => (
        <Avatar key={user.id} id={`a${user.id}`} name={user.name} size={26} />
      ))}
      <span className="teams-count">{t('teams.count', { count: members.length })}</span>
    </span>
  );
}

function Bones() {
  return (
    <div className="team-bones" aria-hidden="true">
      {[34, 48].map((width) => (
        <span key={width} className="bone" style={{ width: `${width}%`, height: 30 }} />
      ))}
    </div>
  );
}
