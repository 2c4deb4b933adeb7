/** The flows' pages: all of them, or one on its canvas. Owns which is shown, and to whom; the canvas comes when opened. */
import { lazy, Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import { Blank } from '../parts/blank.tsx';
import { Fault } from '../parts/fault.tsx';
import type { FlowsRoute } from '../router/route.ts';
import { useMe } from '../signin/session.ts';
import { FlowList } from './list.tsx';
import { useFlows } from './queries.ts';
import { loadWords } from './words.ts';
import './flows.css';

loadWords();

const Editor = lazy(() => import('./editor.tsx').then((m) => ({ default: m.Editor })));

export function FlowsPage({ route }: { route: FlowsRoute }) {
  const me = useMe();
  const { t } = useTranslation('flows');
  if (me.role !== 'admin') {
    return (
      <main className="back-page">
        <h1 className="hidden-text">{t('heading')}</h1>
        <Blank icon="flow" title={t('no_permission')} text={t('no_permission_text')} />
      </main>
    );
  }
  if (route.flow === null) return <All />;
  return (
    <Suspense fallback={<Bones />}>
      <Editor key={route.flow} flow={route.flow} />
    </Suspense>
  );
}

function All() {
  const { t } = useTranslation('flows');
  const flows = useFlows();
  if (flows.data !== undefined) return <FlowList flows={flows.data} />;
  if (flows.error === null) return <Bones />;
  return (
    <main className="back-page">
      <div className="back-inner">
        <header className="back-head">
          <h1>{t('heading')}</h1>
          <p>{t('lead')}</p>
        </header>
        <div className="sheet flows-sheet">
          <Fault error={flows.error} retry={() => void flows.refetch()} />
        </div>
      </div>
    </main>
  );
}

function Bones() {
  return (
    <main className="back-page" aria-busy="true">
      <div className="back-inner">
        <span className="bone" style={{ width: 160, height: 28 }} />
        <span className="bone" style={{ width: '100%', height: 220, marginTop: 24 }} />
      </div>
    </main>
  );
}
