/** One bot: how it is, its settings, its versions, its end. */
import { useMutation } from '@tanstack/react-query';
import { Button, Modal } from 'antd';
import { useCallback, useState } from 'react';
import { useTranslation } from 'react-i18next';
import {
  type Bot,
  type BotList,
  type BotTried,
  type BotVersion,
  publishBot,
  removeBot,
} from '../api/bots.ts';
import { Blank } from '../parts/blank.tsx';
import { sentence } from '../parts/fault.tsx';
import { Icon } from '../parts/icon.tsx';
import { useNow } from '../parts/now.ts';
import { toast } from '../parts/toast.tsx';
import { BOTS } from '../router/route.ts';
import { navigate } from '../router/router.ts';
import { changesBetween } from './changes.ts';
import { Editor } from './editor.tsx';
import { formOf, originOf } from './form.ts';
import { Figures, Health } from './health.tsx';
import { Back } from './new.tsx';
import { platformOf } from './platforms.ts';
import { useBotChanged, useCheck } from './queries.ts';
import { botSentence } from './sentences.ts';
import { Sign, StateChip } from './sign.tsx';
import { draftOf, publishedOf, span, stateOf } from './state.ts';
import { Comparison, Versions } from './versions.tsx';
import { nameOfUse, platformName } from './words.ts';

export function BotPage({ list, id }: { list: BotList; id: string }) {
  const { t } = useTranslation();
  const bot = list.bots.find((one) => one.id === id);
  const newest = bot?.versions[0];
  if (bot === undefined || newest === undefined) {
    return (
      <main className="back-page">
        <h1 className="hidden-text">{t('bots.heading')}</h1>
        <Blank icon="bot" title={t('bots.missing')} text={t('bots.missing_text')}>
          <Button onClick={() => navigate(BOTS)}>{t('bots.back')}</Button>
        </Blank>
      </main>
    );
  }
  return <Known list={list} bot={bot} newest={newest} />;
}

function Known({ list, bot, newest }: { list: BotList; bot: Bot; newest: BotVersion }) {
  const { t } = useTranslation();
  const now = useNow(30_000);
  const [isDirty, setDirty] = useState(false);
  const live = publishedOf(bot);
  const draft = draftOf(bot);
  const stamp = `${newest.updated} ${bot.secrets.join()}`;
  const check = useCheck(bot.id, newest.version, stamp, true);
  const liveCheck = useCheck(
    bot.id,
    live?.version ?? 0,
    String(live?.updated ?? 0),
    live !== undefined && live !== newest,
  );
  const liveTold = live === newest ? check.data : liveCheck.data;
  const told = live === undefined ? check.data : liveTold;
  const state = stateOf(
    { isPublished: live !== undefined, check: told, failure: bot.failure, figures: bot.figures },
    now,
  );
  const dirty = useCallback((next: boolean) => setDirty(next), []);
  return (
    <main className="back-page">
      <div className="back-inner">
        <Back />
        <header className="back-head bots-head">
          <Sign kind={newest.kind} size={42} />
          <div className="bots-title">
            <h1>{(live ?? newest).name}</h1>
            <p>
              {platformName(newest.kind, t)} · {bot.id}
            </p>
          </div>
          <StateChip state={state} />
          <Button onClick={() => navigate({ name: 'bots', at: 'try', bot: bot.id })}>
            {t('bots.try')}
          </Button>
        </header>
        <div className="bots-columns-2">
          <div className="bots-main">
            {draft !== undefined && (
              <Draft bot={bot} draft={draft} live={live} isDirty={isDirty} check={check.data} />
            )}
            <section className="sheet bots-part" aria-label={t('bots.form.settings')}>
              <h2>{t('bots.form.settings')}</h2>
              {platformOf(newest.kind) !== undefined && (
                <Editor
                  list={list}
                  start={formOf(bot, newest)}
                  bot={bot}
                  base={newest}
                  onDirty={dirty}
                  onSaved={(saved, wantsCheck) => {
                    const isSame = saved.versions[0]?.updated === newest.updated;
                    if (isSame && wantsCheck) void check.refetch();
                    if (!isSame) toast({ text: t('bots.form.saved') });
                  }}
                >
                  <Checked
                    bot={bot}
                    version={newest}
                    check={check.data}
                    isChecking={check.isFetching}
                  />
                </Editor>
              )}
            </section>
          </div>
          <div className="bots-side">
            <Health
              list={list}
              about={bot}
              state={state}
              isPublished={live !== undefined}
              check={told}
            />
            <Figures figures={bot.figures} isFree={false} />
            <Versions bot={bot} />
            <Remove list={list} bot={bot} name={(live ?? newest).name} />
          </div>
        </div>
      </div>
    </main>
  );
}

interface CheckedProps {
  readonly bot: Bot;
  readonly version: BotVersion;
  readonly check: BotTried | undefined;
  readonly isChecking: boolean;
}

/** What the platform said to the version that is being edited. */
function Checked({ bot, version, check, isChecking }: CheckedProps) {
  const { t, i18n } = useTranslation();
  const which = t(version.status === 'draft' ? 'bots.check.draft' : 'bots.check.live', {
    number: version.version,
  });
  const host = originOf(formOf(bot, version)).replace(/^https?:\/\/|:\d+$/g, '');
  return (
    <div className="bots-checked" role="status">
      {isChecking || check === undefined ? (
        <p className="bots-check">
          <Icon name="clock" size={16} />
          {t('bots.form.checking')}
        </p>
      ) : check.is_ok ? (
        <p className="bots-check bots-check-ok">
          <Icon name="check" size={16} />
          <span>
            <b>
              {check.detail === '' || check.detail.endsWith('.')
                ? t('bots.check.ok')
                : t('bots.check.ok_named', { name: check.detail })}
            </b>
            <span>
              {check.detail.endsWith('.')
                ? botSentence(check.detail, i18n.language, t)
                : t('bots.check.ok_text', { host })}{' '}
              {which}
              {check.took_ms > 0 &&
                ` · ${t('bots.check.took', { took: span(check.took_ms, i18n.language) })}`}
            </span>
          </span>
        </p>
      ) : (
        <p className="bots-check bots-check-bad">
          <Icon name="alert" size={16} />
          <span>
            <b>{t('bots.check.bad')}</b>
            <span>{botSentence(check.detail, i18n.language, t)}</span>
            <span className="bots-quiet">{which}</span>
          </span>
        </p>
      )}
    </div>
  );
}

interface DraftProps {
  readonly bot: Bot;
  readonly draft: BotVersion;
  readonly live: BotVersion | undefined;
  readonly isDirty: boolean;
  readonly check: BotTried | undefined;
}

function Draft({ bot, draft, live, isDirty, check }: DraftProps) {
  const { t } = useTranslation();
  const changed = useBotChanged();
  const [isOpen, setOpen] = useState(false);
  const publish = useMutation({
    mutationFn: () => publishBot(bot.id),
    onSuccess: (told) => {
      toast({ text: t('bots.draft.published', { number: draft.version }) });
      return changed(told);
    },
    onError: (cause) =>
      toast({ text: t('toast.failed', { why: sentence(cause, t) }), tone: 'fault' }),
  });
  const count = live === undefined ? 0 : changesBetween(live, draft).length;
  const words = () => {
    if (isDirty) return t('bots.draft.unsaved');
    if (live === undefined) return t('bots.draft.first');
    if (count === 0) return t('bots.draft.same', { live: live.version });
    return t('bots.draft.text', { count, live: live.version });
  };
  return (
    <section className="bots-draft" aria-label={t('bots.draft.title', { number: draft.version })}>
      <div className="bots-draft-words">
        <h2>{t('bots.draft.title', { number: draft.version })}</h2>
        <p>{words()}</p>
      </div>
      <div className="bots-draft-actions">
        {count > 0 && (
          <Button onClick={() => setOpen(!isOpen)} aria-expanded={isOpen}>
            {t('bots.draft.compare')}
          </Button>
        )}
        <Button
          type={check?.is_ok === true ? 'primary' : 'default'}
          disabled={isDirty}
          loading={publish.isPending}
          onClick={() => publish.mutate()}
        >
          {t('bots.draft.publish')}
        </Button>
      </div>
      {isOpen && live !== undefined && <Comparison before={live} after={draft} />}
    </section>
  );
}

function Remove({ list, bot, name }: { list: BotList; bot: Bot; name: string }) {
  const { t, i18n } = useTranslation();
  const changed = useBotChanged();
  const [isAsking, setAsking] = useState(false);
  const remove = useMutation({
    mutationFn: () => removeBot(bot.id),
    onSuccess: async () => {
      navigate(BOTS, { replace: true });
      toast({ text: t('bots.remove.done', { name }) });
      await changed();
    },
    onError: (cause) =>
      toast({ text: t('toast.failed', { why: sentence(cause, t) }), tone: 'fault' }),
  });
  const who = bot.uses.map((use) => nameOfUse(use, list, i18n.language, t)).join(t('bots.and'));
  return (
    <>
      <Button danger type="text" className="bots-remove" onClick={() => setAsking(true)}>
        {t('bots.remove.button')}
      </Button>
      <Modal
        open={isAsking}
        title={t('bots.remove.title', { name })}
        onCancel={() => setAsking(false)}
        onOk={() => remove.mutate()}
        okText={t('bots.remove.confirm')}
        cancelText={t('common.cancel')}
        okButtonProps={{ danger: true, loading: remove.isPending }}
        closable={{ 'aria-label': t('common.close') }}
        width={440}
        centered
      >
        <p>{t('bots.remove.text')}</p>
        {who !== '' && <p className="bots-modal-warning">{t('bots.remove.used', { who })}</p>}
      </Modal>
    </>
  );
}
