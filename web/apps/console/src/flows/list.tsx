/** All flows: what each does, what is live, what is being drawn. One row leads to one canvas. */
import { useMutation } from '@tanstack/react-query';
import { Button, Modal } from 'antd';
import { useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type FlowInfo, type Graph, removeFlow, saveDraft } from '../api/flows.ts';
import { ago } from '../format/time.ts';
import { sentence } from '../parts/fault.tsx';
import { Icon } from '../parts/icon.tsx';
import { useNow } from '../parts/now.ts';
import { toast } from '../parts/toast.tsx';
import { linkTo, navigate } from '../router/router.ts';
import { idFrom, readFlowFile } from './defaults.ts';
import { NewFlow } from './new.tsx';
import { useFlowsChanged } from './queries.ts';
import { faultWords } from './refused.ts';
import { draftOf, liveOf } from './states.ts';
import { pick } from './words.ts';

export function FlowList({ flows }: { flows: readonly FlowInfo[] }) {
  const { t, i18n } = useTranslation('flows');
  const { t: common } = useTranslation();
  const [isNew, setNew] = useState(false);
  const [going, setGoing] = useState<FlowInfo>();
  const file = useRef<HTMLInputElement>(null);
  const changed = useFlowsChanged();
  const failed = (cause: unknown) =>
    toast({
      text: common('toast.failed', { why: faultWords(cause) ?? sentence(cause, common) }),
      tone: 'fault',
    });
  const remove = useMutation({
    mutationFn: ({ id }: FlowInfo) => removeFlow(id),
    onSuccess: (_told, { name }) => {
      toast({ text: t('list.removed', { name }) });
      return changed();
    },
    onError: failed,
  });
  const bring = useMutation({
    mutationFn: async (graph: Graph) => {
      const name = t('list.copy_name', { name: pick(graph.name, i18n.language) || t('heading') });
      const own = (graph as { id?: unknown }).id;
      const id = idFrom(
        typeof own === 'string' ? own : 'flow',
        new Set(flows.map((one) => one.id)),
      );
      await saveDraft(id, graph, name, 0);
      return id;
    },
    onSuccess: async (id) => {
      await changed();
      toast({ text: t('list.imported') });
      navigate({ name: 'flows', flow: id });
    },
    onError: failed,
  });
  const take = async (chosen: File | undefined) => {
    if (chosen === undefined) return;
    const read = readFlowFile(await chosen.text());
    if (typeof read === 'string')
      toast({ text: t('list.import_failed', { why: t(`list.${read}`) }), tone: 'fault' });
    else bring.mutate(read);
  };
  const ordered = [...flows].sort(
    (a, b) => Number(b.role === 'reception') - Number(a.role === 'reception'),
  );
  return (
    <main className="back-page">
      <div className="back-inner">
        <header className="back-head">
          <h1>{t('heading')}</h1>
          <p>{t('lead')}</p>
          <Button loading={bring.isPending} onClick={() => file.current?.click()}>
            {t('list.import')}
          </Button>
          <Button type="primary" onClick={() => setNew(true)}>
            {t('list.add')}
          </Button>
        </header>
        <div className="sheet flows-sheet">
          {flows.length === 0 ? (
            <div className="flows-empty">
              <h2>{t('list.empty')}</h2>
              <p>{t('list.empty_text')}</p>
              <Button type="primary" onClick={() => setNew(true)}>
                {t('list.add')}
              </Button>
            </div>
          ) : (
            <>
              <div className="flows-row flows-columns" aria-hidden="true">
                <span>{t('list.name')}</span>
                <span>{t('list.does')}</span>
                <span>{t('list.state')}</span>
                <span>{t('list.changed')}</span>
              </div>
              <ul>
                {ordered.map((flow) => (
                  <Row key={flow.id} flow={flow} onRemove={() => setGoing(flow)} />
                ))}
              </ul>
            </>
          )}
        </div>
      </div>
      <input
        ref={file}
        type="file"
        accept="application/json,.json"
        hidden
        onChange={(event) => {
          void take(event.target.files?.[0]);
          event.target.value = '';
        }}
      />
      {isNew && <NewFlow flows={flows} onClose={() => setNew(false)} />}
      <Modal
        open={going !== undefined}
        title={t('list.remove_title', { name: going?.name ?? '' })}
        onCancel={() => setGoing(undefined)}
        onOk={() => {
          if (going !== undefined) remove.mutate(going);
          setGoing(undefined);
        }}
        okText={t('list.remove')}
        okButtonProps={{ danger: true }}
        cancelText={common('common.cancel')}
        closable={{ 'aria-label': common('common.close') }}
        centered
      >
        {t('list.remove_text')}
      </Modal>
    </main>
  );
}

function Row({ flow, onRemove }: { flow: FlowInfo; onRemove: () => void }) {
  const { t, i18n } = useTranslation('flows');
  const { t: common } = useTranslation();
  const now = useNow(60_000);
  const [live, draft] = [liveOf(flow), draftOf(flow)];
  const [newest] = flow.versions;
  return (
    <li className="flows-item">
      <a className="flows-row" {...linkTo({ name: 'flows', flow: flow.id })}>
        <span className="flows-name">
          <b className="clip" title={flow.name}>
            {flow.name}
          </b>
          <span className="clip">{flow.id}</span>
        </span>
        <span>
          <span
            className={
              flow.role === 'idle'
                ? 'chip chip-closed'
                : flow.role === 'reception'
                  ? 'chip chip-open'
                  : 'chip chip-bot'
            }
          >
            {t(`role.${flow.role}`)}
          </span>
          {flow.why !== '' && (
            <span className="flows-why">{t('list.broken', { why: flow.why })}</span>
          )}
        </span>
        <span className="flows-states">
          <span
            className={live === undefined ? 'flow-chip flow-chip-old' : 'flow-chip flow-chip-live'}
          >
            {live === undefined ? t('list.unpublished') : t('list.live', { number: live.version })}
          </span>
          {draft !== undefined && (
            <span className="flow-chip flow-chip-draft">
              {t('list.draft', { number: draft.version })}
            </span>
          )}
        </span>
        <span className="flows-time">
          {newest !== undefined && ago(newest.updated, now, common, i18n.language)}
        </span>
      </a>
      <button
        type="button"
        className="flow-icon-button"
        aria-label={`${t('list.remove')} ${flow.name}`}
        title={t('list.remove')}
        onClick={onRemove}
      >
        <Icon name="close" size={15} />
      </button>
    </li>
  );
}
