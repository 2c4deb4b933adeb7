/** The bot of the house: nothing to set up, but how it does is seen like every other's. */
import { Button } from 'antd';
import { useTranslation } from 'react-i18next';
import type { BotList } from '../api/bots.ts';
import { useNow } from '../parts/now.ts';
import { navigate } from '../router/router.ts';
import { Figures, Health } from './health.tsx';
import { Back } from './new.tsx';
import { useCheck } from './queries.ts';
import { Sign, StateChip } from './sign.tsx';
import { stateOf } from './state.ts';
import { HOUSE } from './words.ts';

export function HousePage({ list }: { list: BotList }) {
  const { t } = useTranslation();
  const now = useNow(30_000);
  const { house } = list;
  const check = useCheck(HOUSE, 0, '', house.can_be_tried);
  const known = {
    isPublished: true,
    check: check.data,
    failure: house.failure,
    figures: house.figures,
  };
  const judged = stateOf(known, now);
  const state = judged === 'checking' && !house.can_be_tried ? 'well' : judged;
  const words = t(house.can_be_tried ? 'bots.health.house' : 'bots.health.house_away');
  return (
    <main className="back-page">
      <div className="back-inner">
        <Back />
        <header className="back-head bots-head">
          <Sign kind="local" size={42} />
          <div className="bots-title">
            <h1>{t('bots.house')}</h1>
            <p>{t('bots.house_text')}</p>
          </div>
          <StateChip state={state} />
          <Button onClick={() => navigate({ name: 'knowledge' })}>{t('nav.knowledge')}</Button>
          <Button onClick={() => navigate({ name: 'bots', at: 'try', bot: null })}>
            {t('bots.try')}
          </Button>
        </header>
        <div className="bots-halves">
          <Health
            list={list}
            about={house}
            state={state}
            isPublished
            check={check.data}
            {...(state === 'well' ? { words } : {})}
          />
          <Figures figures={house.figures} isFree />
        </div>
      </div>
    </main>
  );
}
