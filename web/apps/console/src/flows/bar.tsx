/** The bar above the canvas: which flow, how it stands, and what can be done with all of it. */
import { Button, Dropdown } from 'antd';
import { useTranslation } from 'react-i18next';
import { exportAddress, type FlowInfo, type Problem } from '../api/flows.ts';
import { sentence } from '../parts/fault.tsx';
import { Icon } from '../parts/icon.tsx';
import { FLOWS } from '../router/route.ts';
import { linkTo } from '../router/router.ts';
import type { Panel } from './panel.tsx';
import { isError } from './problems.ts';
import type { Saving } from './saving.ts';
import { liveOf } from './states.ts';

interface BarProps {
  readonly info: FlowInfo;
  readonly name: string;
  readonly saving: Saving;
  readonly problems: readonly Problem[] | undefined;
  readonly isPublishing: boolean;
  readonly isPhone: boolean;
  readonly onName: (name: string) => void;
  readonly onPanel: (panel: Panel) => void;
  readonly onPublish: () => void;
  readonly onImport: () => void;
  readonly onDrop: () => void;
}

export function Bar(props: BarProps) {
  const { info, name, saving, problems, isPublishing, isPhone, onName, onPanel } = props;
  const { t } = useTranslation('flows');
  const live = liveOf(info);
  const errors = problems?.filter(isError).length ?? 0;
  const why = whyNot(props, errors);
  const reason = why === undefined ? undefined : t(why, { count: errors });
  const items = [
    {
      key: 'export',
      label: (
        <a href={exportAddress(info.id, 0)} download>
          {t('bar.export')}
        </a>
      ),
    },
    ...(isPhone ? [] : [{ key: 'import', label: t('bar.import'), onClick: props.onImport }]),
    ...(saving.draft !== 0 && live !== undefined
      ? [{ key: 'drop', label: t('bar.drop'), danger: true, onClick: props.onDrop }]
      : []),
  ];
  return (
    <header className="flow-bar">
      <a className="flow-bar-back" {...linkTo(FLOWS)}>
        <Icon name="back" size={16} />
        <span>{t('heading')}</span>
      </a>
      <h1 className="hidden-text">{name}</h1>
      <input
        className="flow-name"
        value={name}
        maxLength={128}
        readOnly={isPhone}
        aria-label={t('bar.rename')}
        onChange={(event) => onName(event.target.value)}
      />
      <SaveState saving={saving} hasLive={live !== undefined} />
      {live !== undefined && (
        <span className="flow-chip flow-chip-live">{t('bar.live', { number: live.version })}</span>
      )}
      <span className="flow-bar-space" />
      <Checked problems={problems} onPanel={onPanel} />
      {!isPhone && <Button onClick={() => onPanel('versions')}>{t('panel.versions')}</Button>}
      <Button className="flow-try-button" onClick={() => onPanel('try')}>
        {t('panel.try')}
      </Button>
      <span className="flow-publish" title={reason}>
        <Button
          type="primary"
          loading={isPublishing}
          disabled={reason !== undefined}
          {...(reason === undefined ? {} : { 'aria-describedby': 'flow-why-not' })}
          onClick={props.onPublish}
        >
          {t('bar.publish')}
        </Button>
      </span>
      {reason !== undefined && (
        <span id="flow-why-not" className="hidden-text">
          {reason}
        </span>
      )}
      <Dropdown menu={{ items }} trigger={['click']} placement="bottomRight">
        <button
          type="button"
          className="flow-icon-button flow-more"
          aria-label={t('bar.more')}
          title={t('bar.more')}
        >
          <span aria-hidden="true">⋯</span>
        </button>
      </Dropdown>
    </header>
  );
}

function whyNot({ saving }: BarProps, errors: number) {
  if (errors > 0) return 'bar.publish_errors' as const;
  if (saving.phase === 'failed' || saving.phase === 'conflict')
    return 'bar.publish_unsaved' as const;
  if (saving.draft === 0 && saving.phase === 'saved') return 'bar.publish_nothing' as const;
  return undefined;
}

function SaveState({ saving, hasLive }: { saving: Saving; hasLive: boolean }) {
  const { t } = useTranslation('flows');
  const { t: common } = useTranslation();
  const { phase, draft, fault } = saving;
  if (phase === 'failed') {
    return (
      <span className="flow-save flow-chip flow-chip-bad" role="alert">
        {t('bar.failed', { why: sentence(fault, common) })}{' '}
        <button type="button" className="flow-link" onClick={() => void saving.flush()}>
          {t('bar.again')}
        </button>
      </span>
    );
  }
  const isBad = phase === 'conflict';
  const stands = draft === 0 && phase === 'saved';
  const words =
    stands && !hasLive
      ? t('bar.never')
      : stands
        ? t('bar.same')
        : [draft === 0 ? '' : t('bar.draft', { number: draft }), t(`bar.${phase}`)]
            .filter((part) => part !== '')
            .join(' · ');
  return (
    <span
      className={
        isBad ? 'flow-save flow-chip flow-chip-bad' : 'flow-save flow-chip flow-chip-draft'
      }
      role="status"
    >
      {words}
    </span>
  );
}

function Checked({ problems, onPanel }: Pick<BarProps, 'problems' | 'onPanel'>) {
  const { t } = useTranslation('flows');
  if (problems === undefined) return null;
  const errors = problems.filter(isError).length;
  const hints = problems.length - errors;
  if (problems.length === 0)
    return (
      <button
        type="button"
        className="flow-chip flow-chip-live"
        onClick={() => onPanel('findings')}
      >
        <Icon name="check" size={13} />
        {t('findings.chip_ok')}
      </button>
    );
  return (
    <button
      type="button"
      className={errors > 0 ? 'flow-chip flow-chip-bad' : 'flow-chip flow-chip-hint'}
      onClick={() => onPanel('findings')}
    >
      <Icon name="alert" size={13} />
      {errors > 0
        ? t('findings.errors', { count: errors })
        : t('findings.warnings', { count: hints })}
    </button>
  );
}
