/** What a flow was, and when: compared, brought back, carried away as a file. Owns no version: the server keeps them. */
import { useMutation } from '@tanstack/react-query';
import { Modal } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import {
  exportAddress,
  type FlowInfo,
  type FlowVersion,
  type Graph,
  rollBackFlow,
} from '../api/flows.ts';
import { moment } from '../format/time.ts';
import { Fault, sentence } from '../parts/fault.tsx';
import { useNow } from '../parts/now.ts';
import { toast } from '../parts/toast.tsx';
import { useDesk } from './context.ts';
import { type Change, changesBetween } from './diff.ts';
import { waysOfNode } from './ports.ts';
import { useDrawing } from './queries.ts';
import { faultWords } from './refused.ts';
import { liveOf } from './states.ts';
import { fieldName, nodeName, pick, portName, textsIn, wayName } from './words.ts';

interface VersionsProps {
  readonly info: FlowInfo;
  readonly onBack: (told: FlowInfo) => void;
}

interface Pair {
  readonly before: number;
  readonly after: number;
}

export function Versions({ info, onBack }: VersionsProps) {
  const { t } = useTranslation('flows');
  const { t: common } = useTranslation();
  const [pair, setPair] = useState<Pair>();
  const [wanted, setWanted] = useState<FlowVersion>();
  const live = liveOf(info);
  const back = useMutation({
    mutationFn: (version: number) => rollBackFlow(info.id, version),
    onSuccess: (told, number) => {
      const now = liveOf(told)?.version ?? 0;
      toast({ text: t('versions.backed', { number, now }) });
      setWanted(undefined);
      onBack(told);
    },
    onError: (cause) =>
      toast({
        text: common('toast.failed', { why: faultWords(cause) ?? sentence(cause, common) }),
        tone: 'fault',
      }),
  });
  const number = wanted?.version ?? 0;
  return (
    <>
      <ol className="flow-versions">
        {info.versions.map((version) => (
          <Version
            key={version.version}
            flow={info.id}
            version={version}
            live={live}
            partner={partnerOf(version, info, live)}
            onCompare={setPair}
            onBack={() => setWanted(version)}
          />
        ))}
      </ol>
      <Modal
        open={pair !== undefined}
        title={pair && t('versions.changes', { ...pair })}
        footer={null}
        onCancel={() => setPair(undefined)}
        closable={{ 'aria-label': common('common.close') }}
        width={640}
        centered
      >
        {pair !== undefined && <Compared flow={info.id} {...pair} />}
      </Modal>
      <Modal
        open={wanted !== undefined}
        title={t('versions.back_title', { number })}
        onCancel={() => setWanted(undefined)}
        onOk={() => back.mutate(number)}
        okText={t('versions.back')}
        cancelText={common('common.cancel')}
        okButtonProps={{ loading: back.isPending }}
        closable={{ 'aria-label': common('common.close') }}
        width={640}
        centered
      >
        <p className="flow-modal-lead">{t('versions.back_text')}</p>
        {wanted !== undefined && live !== undefined && (
          <Compared flow={info.id} before={live.version} after={number} />
        )}
      </Modal>
    </>
  );
}

/** With what a version is compared: with the one that is live, and that one with the one before it. */
function partnerOf(
  version: FlowVersion,
  info: FlowInfo,
  live: FlowVersion | undefined,
): FlowVersion | undefined {
  if (version !== live) return live;
  return info.versions.find(
    (other) => other.status === 'published' && other.version < version.version,
  );
}

interface VersionProps {
  readonly flow: string;
  readonly version: FlowVersion;
  readonly live: FlowVersion | undefined;
  readonly partner: FlowVersion | undefined;
  readonly onCompare: (pair: Pair) => void;
  readonly onBack: () => void;
}

function Version({ flow, version, live, partner, onCompare, onBack }: VersionProps) {
  const { t, i18n } = useTranslation('flows');
  const { t: common } = useTranslation();
  const now = useNow(60_000);
  const isLive = version === live;
  const isDraft = version.status === 'draft';
  const number = t('versions.version', { number: version.version });
  const state = isDraft ? 'draft' : isLive ? 'live' : 'old';
  return (
    <li>
      <div className="flow-version-head">
        <b>{number}</b>
        <span className={`flow-chip flow-chip-${state}`}>{t(`versions.${state}`)}</span>
        <time dateTime={new Date(version.updated).toISOString()}>
          {moment(version.updated, now, common, i18n.language)}
        </time>
      </div>
      <div className="flow-version-actions">
        {partner !== undefined && (
          <button
            type="button"
            className="flow-link"
            onClick={() =>
              onCompare(
                isDraft || isLive
                  ? { before: partner.version, after: version.version }
                  : { before: version.version, after: partner.version },
              )
            }
          >
            {t(isLive ? 'versions.compare_before' : 'versions.compare_live')}
            <span className="hidden-text"> {number}</span>
          </button>
        )}
        {!isDraft && !isLive && (
          <button type="button" className="flow-link" onClick={onBack}>
            {t('versions.back')}
            <span className="hidden-text"> {number}</span>
          </button>
        )}
        <a className="flow-link" href={exportAddress(flow, version.version)} download>
          {t('versions.export')}
          <span className="hidden-text"> {number}</span>
        </a>
      </div>
    </li>
  );
}

function Compared({ flow, before, after }: Pair & { flow: string }) {
  const was = useDrawing(flow, before);
  const is = useDrawing(flow, after);
  const error = was.error ?? is.error;
  if (error !== null)
    return <Fault error={error} retry={() => void Promise.all([was.refetch(), is.refetch()])} />;
  if (was.data === undefined || is.data === undefined)
    return <span className="bone" style={{ height: 96 }} />;
  return <Changes before={was.data.graph} after={is.data.graph} />;
}

export function Changes({ before, after }: { before: Graph; after: Graph }) {
  const { t } = useTranslation('flows');
  const changes = changesBetween(before, after);
  if (changes.length === 0) return <p className="field-hint">{t('versions.no_changes')}</p>;
  return (
    <ul className="flow-changes">
      {changes.map((change, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a comparison does not change
        <li key={at} className={`flow-change flow-change-${change.what}`}>
          <Changed change={change} before={before} after={after} />
        </li>
      ))}
    </ul>
  );
}

function Changed({ change, before, after }: { change: Change; before: Graph; after: Graph }) {
  const { t, i18n } = useTranslation('flows');
  const { kinds } = useDesk();
  if (change.what === 'fallback') return t('versions.fallback');
  const node = nodeName(change.node, i18n.language);
  switch (change.what) {
    case 'added':
    case 'removed':
      return t(`versions.${change.what}`, { node });
    case 'titled':
      return t('versions.titled', { before: nodeName(change.before, i18n.language), after: node });
    case 'set':
      return (
        <>
          {t('versions.set', { node, field: fieldName(change.node.kind, change.field) })}
          <del>{shown(change.before, i18n.language) || t('versions.nothing')}</del>
          <ins>{shown(change.after, i18n.language) || t('versions.nothing')}</ins>
        </>
      );
    case 'led': {
      const declared = waysOfNode(kinds, change.node).find(({ name }) => name === change.port);
      const way =
        declared === undefined
          ? portName(change.node.kind, change.port)
          : wayName(change.node.kind, declared, i18n.language);
      if (change.after === undefined) return t('versions.led_gone', { node, way });
      const target =
        after.nodes.find(({ id }) => id === change.after) ??
        before.nodes.find(({ id }) => id === change.after);
      const to = nodeName(target, i18n.language);
      return t(change.before === undefined ? 'versions.led_new' : 'versions.led', {
        node,
        way,
        to,
      });
    }
  }
}

function shown(value: unknown, language: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value) && value.every((one) => typeof one !== 'object'))
    return value.join(', ');
  const text = Array.isArray(value) ? '' : pick(textsIn(value), language);
  return text === '' ? JSON.stringify(value) : text;
}
