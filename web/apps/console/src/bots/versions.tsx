/** What a bot was set to, and when: to be compared and brought back. */
import { useMutation } from '@tanstack/react-query';
import { Button, Modal } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type Bot, type BotVersion, rollBackBot } from '../api/bots.ts';
import { moment } from '../format/time.ts';
import { sentence } from '../parts/fault.tsx';
import { useNow } from '../parts/now.ts';
import { toast } from '../parts/toast.tsx';
import { changesBetween } from './changes.ts';
import { useBotChanged } from './queries.ts';
import { publishedOf } from './state.ts';
import { fieldName, platformName, valueName } from './words.ts';

const FEW = 5;

export function Versions({ bot }: { bot: Bot }) {
  const { t } = useTranslation();
  const [areAll, setAll] = useState(false);
  const [compared, setCompared] = useState<BotVersion>();
  const [wanted, setWanted] = useState<BotVersion>();
  const live = publishedOf(bot);
  const shown = areAll ? bot.versions : bot.versions.slice(0, FEW);
  const close = () => setWanted(undefined);
  const before = compared && partner(compared, bot, live);
  return (
    <section className="sheet bots-part" aria-label={t('bots.versions.heading')}>
      <h2>{t('bots.versions.heading')}</h2>
      <ol className="bots-versions">
        {shown.map((version) => (
          <Version
            key={version.version}
            version={version}
            live={live}
            canCompare={partner(version, bot, live) !== undefined}
            onCompare={() => setCompared(version)}
            onBack={() => setWanted(version)}
          />
        ))}
      </ol>
      {!areAll && bot.versions.length > FEW && (
        <Button type="link" size="small" onClick={() => setAll(true)}>
          {t('bots.versions.show_more', { count: bot.versions.length })}
        </Button>
      )}
      <Modal
        open={before !== undefined}
        title={t('bots.versions.changes', { before: before?.version, after: compared?.version })}
        footer={null}
        onCancel={() => setCompared(undefined)}
        closable={{ 'aria-label': t('common.close') }}
        width={640}
        centered
      >
        {before !== undefined && compared !== undefined && (
          <Comparison before={before} after={compared} />
        )}
      </Modal>
      {wanted !== undefined && <BackTo bot={bot} version={wanted} onClose={close} />}
    </section>
  );
}

/** With what a version is compared: an old one with the one that answers, that one with the one before it. */
function partner(
  version: BotVersion,
  bot: Bot,
  live: BotVersion | undefined,
): BotVersion | undefined {
  if (version !== live) return live;
  return bot.versions.find(
    (other) => other.status === 'published' && other.version < version.version,
  );
}

interface VersionProps {
  readonly version: BotVersion;
  readonly live: BotVersion | undefined;
  readonly canCompare: boolean;
  readonly onCompare: () => void;
  readonly onBack: () => void;
}

function Version({ version, live, canCompare, onCompare, onBack }: VersionProps) {
  const { t, i18n } = useTranslation();
  const now = useNow(60_000);
  const isLive = version === live;
  const isDraft = version.status === 'draft';
  const as = /^as version (\d+)$/.exec(version.note)?.[1];
  const note = as === undefined ? version.note : t('bots.versions.as', { number: as });
  const number = t('bots.version', { number: version.version });
  return (
    <li>
      <div className="bots-version-head">
        <b>{number}</b>
        <span className={isLive ? 'chip chip-open' : 'chip chip-closed'}>
          {t(isDraft ? 'bots.versions.draft' : isLive ? 'bots.versions.live' : 'bots.versions.old')}
        </span>
        <time dateTime={new Date(version.updated).toISOString()}>
          {moment(version.updated, now, t, i18n.language)}
        </time>
      </div>
      {note !== '' && <p className="bots-note">{note}</p>}
      <div className="bots-version-actions">
        {canCompare && (
          <button type="button" className="bots-link" onClick={onCompare}>
            {t(isLive ? 'bots.versions.compare_before' : 'bots.versions.compare')}
            <span className="hidden-text"> {number}</span>
          </button>
        )}
        {!isLive && !isDraft && (
          <button type="button" className="bots-link" onClick={onBack}>
            {t('bots.versions.back')}
            <span className="hidden-text"> {number}</span>
          </button>
        )}
      </div>
    </li>
  );
}

function BackTo(props: { bot: Bot; version: BotVersion; onClose: () => void }) {
  const { bot, version, onClose } = props;
  const { t } = useTranslation();
  const changed = useBotChanged();
  const live = publishedOf(bot);
  const back = useMutation({
    mutationFn: () => rollBackBot(bot.id, version.version),
    onSuccess: (told) => {
      const now = publishedOf(told)?.version ?? 0;
      toast({ text: t('bots.versions.backed', { number: version.version, now }) });
      onClose();
      return changed(told);
    },
    onError: (cause) =>
      toast({ text: t('toast.failed', { why: sentence(cause, t) }), tone: 'fault' }),
  });
  const number = version.version;
  return (
    <Modal
      open
      title={t('bots.versions.back_title', { number })}
      onCancel={onClose}
      onOk={() => back.mutate()}
      okText={t('bots.versions.back')}
      cancelText={t('common.cancel')}
      okButtonProps={{ loading: back.isPending }}
      closable={{ 'aria-label': t('common.close') }}
      width={640}
      centered
    >
      <p className="bots-modal-lead">{t('bots.versions.back_text', { number })}</p>
      {live !== undefined && <Comparison before={live} after={version} />}
    </Modal>
  );
}

export function Comparison({ before, after }: { before: BotVersion; after: BotVersion }) {
  const { t } = useTranslation();
  const changes = changesBetween(before, after);
  if (changes.length === 0) return <p className="bots-quiet">{t('bots.versions.none')}</p>;
  const said = (field: string, value: string) =>
    field === 'kind' ? platformName(value, t) : valueName(value, t);
  return (
    <div className="bots-comparison">
      <table>
        <thead>
          <tr>
            <th scope="col">{t('bots.versions.field')}</th>
            <th scope="col">{t('bots.version', { number: before.version })}</th>
            <th scope="col">{t('bots.version', { number: after.version })}</th>
          </tr>
        </thead>
        <tbody>
          {changes.map((change) => (
            <tr key={change.field}>
              <th scope="row">{fieldName(after.kind, change.field, t)}</th>
              <td className={change.before === '' ? 'bots-quiet' : 'bots-was'}>
                {said(change.field, change.before)}
              </td>
              <td className={change.after === '' ? 'bots-quiet' : 'bots-is'}>
                {said(change.field, change.after)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="field-hint">{t('bots.versions.secret')}</p>
    </div>
  );
}
