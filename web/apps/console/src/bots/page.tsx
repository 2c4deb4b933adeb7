/** The bots' pages: all of them, a new one, one, two side by side. Owns which is shown, and to whom. */
import { useTranslation } from 'react-i18next';
import { Blank } from '../parts/blank.tsx';
import { Fault } from '../parts/fault.tsx';
import type { BotsRoute } from '../router/route.ts';
import { useMe } from '../signin/session.ts';
import { BotPage } from './bot.tsx';
import { HousePage } from './house.tsx';
import { BotListPage } from './list.tsx';
import { NewBotPage } from './new.tsx';
import { useBots } from './queries.ts';
import { TryPage } from './try.tsx';
import { HOUSE } from './words.ts';
import './bots.css';
import './list.css';
import './bot.css';
import './form.css';
import './versions.css';
import './try.css';
import './small.css';

export function BotsPage({ route }: { route: BotsRoute }) {
  const me = useMe();
  const { t } = useTranslation();
  if (me.role !== 'admin') {
    return (
      <main className="back-page">
        <h1 className="hidden-text">{t('bots.heading')}</h1>
        <Blank icon="bot" title={t('bots.no_permission')} text={t('bots.no_permission_text')} />
      </main>
    );
  }
  return <Shown route={route} />;
}

function Shown({ route }: { route: BotsRoute }) {
  const { t } = useTranslation();
  const bots = useBots();
  if (bots.data === undefined) {
    return (
      <main className="back-page" aria-busy={bots.error === null}>
        <div className="back-inner">
          <header className="back-head">
            <h1>{t('bots.heading')}</h1>
            <p>{t('bots.lead')}</p>
          </header>
          <div className="sheet bots-sheet">
            {bots.error === null ? (
              <Bones />
            ) : (
              <Fault error={bots.error} retry={() => void bots.refetch()} />
            )}
          </div>
        </div>
      </main>
    );
  }
  const list = bots.data;
  if (route.at === 'new') return <NewBotPage list={list} />;
  if (route.at === 'try') return <TryPage list={list} wanted={route.bot} />;
  if (route.at === 'bot' && route.bot === HOUSE) return <HousePage list={list} />;
  if (route.at === 'bot' && route.bot !== null)
    return <BotPage key={route.bot} list={list} id={route.bot} />;
  return <BotListPage list={list} />;
}

function Bones() {
  return (
    <div className="bots-bones" aria-hidden="true">
      {[38, 52, 44].map((width) => (
        <div key={width}>
          <span className="bone" style={{ width: 34, height: 34 }} />
          <span className="bone" style={{ width: `${width}%`, height: 20 }} />
        </div>
      ))}
    </div>
  );
}
