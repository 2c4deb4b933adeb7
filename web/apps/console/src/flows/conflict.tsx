/** Somebody else saved the same draft. Owns the choice; nothing is thrown away before it is made. */
import { Button } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Graph } from '../api/flows.ts';
import { Icon } from '../parts/icon.tsx';
import { useTheirs } from './queries.ts';
import { Changes } from './versions.tsx';

interface ConflictProps {
  readonly flow: string;
  readonly graph: Graph;
  readonly onTheirs: () => void;
  readonly onMine: () => void;
}

export function Conflict({ flow, graph, onTheirs, onMine }: ConflictProps) {
  const { t } = useTranslation('flows');
  const [isOpen, setOpen] = useState(false);
  const theirs = useTheirs(flow, isOpen);
  const keep = () => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([JSON.stringify(graph, null, 2)]));
    link.download = `${flow}.json`;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  return (
    <div className="flow-conflict" role="alert">
      <Icon name="alert" size={18} />
      <div>
        <b>{t('conflict.title')}</b>
        <p>{t('conflict.text')}</p>
        <div className="flow-actions">
          <Button size="small" type="primary" onClick={onTheirs}>
            {t('conflict.theirs')}
          </Button>
          <Button size="small" onClick={onMine}>
            {t('conflict.mine')}
          </Button>
          <Button size="small" type="text" onClick={keep}>
            {t('conflict.keep')}
          </Button>
        </div>
        <details className="flow-seldom" onToggle={(event) => setOpen(event.currentTarget.open)}>
          <summary>{t('conflict.their_changes')}</summary>
          {theirs.data !== undefined && <Changes before={graph} after={theirs.data.graph} />}
        </details>
      </div>
    </div>
  );
}
