/** A new bot: first its platform, then how to reach it. */
import { Button } from 'antd';
import { useTranslation } from 'react-i18next';
import type { BotList } from '../api/bots.ts';
import { Icon } from '../parts/icon.tsx';
import { toast } from '../parts/toast.tsx';
import { BOTS } from '../router/route.ts';
import { linkTo, navigate, useRoute } from '../router/router.ts';
import { Editor } from './editor.tsx';
import { emptyForm } from './form.ts';
import { PLATFORMS, platformOf } from './platforms.ts';
import { Sign } from './sign.tsx';

export function NewBotPage({ list }: { list: BotList }) {
  const { t } = useTranslation();
  const route = useRoute();
  const platform = platformOf((route.name === 'bots' && route.bot) || '');
  return (
    <main className="back-page">
      <div className="back-inner bots-narrow">
        <Back />
        <header className="back-head">
          <h1>{t('bots.new.heading')}</h1>
          <p>{t(platform === undefined ? 'bots.new.pick' : 'bots.new.details')}</p>
        </header>
        {platform === undefined ? (
          <ul className="bots-tiles">
            {PLATFORMS.map(({ name }) => (
              <li key={name}>
                <a className="bots-tile" {...linkTo({ name: 'bots', at: 'new', bot: name })}>
                  <Sign kind={name} />
                  <b>{t(`bots.platform.${name}`)}</b>
                  <span>{t(`bots.platform_text.${name}`)}</span>
                </a>
              </li>
            ))}
          </ul>
        ) : (
          <div className="sheet bots-part">
            <div className="bots-chosen">
              <Sign kind={platform.name} />
              <div>
                <b>{t(`bots.platform.${platform.name}`)}</b>
                <p className="field-hint">{t(`bots.new.where.${platform.name}`)}</p>
              </div>
              <Button onClick={() => navigate({ ...BOTS, at: 'new' }, { replace: true })}>
                {t('bots.new.change')}
              </Button>
            </div>
            <Editor
              key={platform.name}
              list={list}
              start={emptyForm(
                platform.name,
                list.bots.map(({ id }) => id),
              )}
              onSaved={(bot) => {
                toast({ text: t('bots.form.saved') });
                navigate({ name: 'bots', at: 'bot', bot: bot.id }, { replace: true });
              }}
            />
          </div>
        )}
      </div>
    </main>
  );
}

export function Back() {
  const { t } = useTranslation();
  return (
    <a className="bots-back" {...linkTo(BOTS)}>
      <Icon name="back" size={16} />
      {t('bots.back')}
    </a>
  );
}
