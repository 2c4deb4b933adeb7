/** The frame around every page: rail or bottom bar, the state of the connection, the page itself. */
import { lazy, Suspense, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { User } from '../api/types.ts';
import { Inbox } from '../inbox/inbox.tsx';
import { useOverview } from '../inbox/queries.ts';
import { useCommands } from '../keys/commands.ts';
import { LiveProvider } from '../live/context.tsx';
import { useAnnouncements } from '../notify/announce.ts';
import { Boundary } from '../parts/boundary.tsx';
import { format } from '../router/route.ts';
import { useRoute } from '../router/router.ts';
import { LinkBanner } from './banner.tsx';
import { Rail } from './rail.tsx';

const Overlay = lazy(() => import('../keys/overlay.tsx').then((m) => ({ default: m.Overlay })));
const Knowledge = lazy(() =>
  import('../knowledge/page.tsx').then((m) => ({ default: m.KnowledgePage })),
);
const Bots = lazy(() => import('../bots/page.tsx').then((m) => ({ default: m.BotsPage })));
const Flows = lazy(() => import('../flows/page.tsx').then((m) => ({ default: m.FlowsPage })));
const Team = lazy(() => import('../team/page.tsx').then((m) => ({ default: m.TeamPage })));
const Settings = lazy(() =>
  import('../settings/page.tsx').then((m) => ({ default: m.SettingsPage })),
);

export function Shell({ user }: { user: User }) {
  return (
    <LiveProvider user={user}>
      <Frame user={user} />
    </LiveProvider>
  );
}

function Frame({ user }: { user: User }) {
  const route = useRoute();
  const { t } = useTranslation();
  const [hasKeys, setKeys] = useState(false);
  const { calls } = useOverview(null);
  useCommands({ help: () => setKeys((shown) => !shown) });
  useAnnouncements();
  useEffect(() => {
    document.title = calls > 0 ? `(${calls}) ${t('title')}` : t('title');
  }, [calls, t]);

  // On a phone these take the whole screen.
  const isDeep =
    (route.name === 'inbox' && route.id !== null) ||
    (route.name === 'flows' && route.flow !== null);
  return (
    <div className={isDeep ? 'shell shell-deep' : 'shell'}>
      <Rail user={user} page={route.name} calls={calls} onKeys={() => setKeys(true)} />
      <div className="stage">
        <LinkBanner />
        <div className="page-slot">
          <Boundary reset={format(route)}>
            <Suspense fallback={<PageSkeleton />}>
              {route.name === 'inbox' && <Inbox route={route} />}
              {route.name === 'knowledge' && <Knowledge />}
              {route.name === 'bots' && <Bots route={route} />}
              {route.name === 'flows' && <Flows route={route} />}
              {route.name === 'team' && <Team />}
              {route.name === 'settings' && <Settings />}
            </Suspense>
          </Boundary>
        </div>
      </div>
      {hasKeys && (
        <Suspense fallback={null}>
          <Overlay onClose={() => setKeys(false)} />
        </Suspense>
      )}
    </div>
  );
}

function PageSkeleton() {
  return (
    <main className="back-page" aria-busy="true">
      <span className="bone" style={{ width: 160, height: 28 }} />
      <span className="bone" style={{ width: '100%', height: 220, marginTop: 24 }} />
    </main>
  );
}
