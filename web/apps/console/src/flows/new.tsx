/** A new flow: what it is called. Owns the two names; the drawing begins empty. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Button, Input, Modal } from 'antd';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type FlowInfo, listKinds, saveDraft } from '../api/flows.ts';
import { sentence } from '../parts/fault.tsx';
import { navigate } from '../router/router.ts';
import { emptyGraph, FLOW_ID, idFrom } from './defaults.ts';
import { useFlowsChanged } from './queries.ts';

interface NewFlowProps {
  readonly flows: readonly FlowInfo[];
  readonly onClose: () => void;
}

export function NewFlow({ flows, onClose }: NewFlowProps) {
  const { t } = useTranslation('flows');
  const { t: common } = useTranslation();
  const queries = useQueryClient();
  const changed = useFlowsChanged();
  const [name, setName] = useState('');
  const [own, setOwn] = useState<string>();
  const [isTold, setTold] = useState(false);
  const taken = new Set(flows.map(({ id }) => id));
  const id = own ?? idFrom(name, taken);
  const nameFault = name.trim() === '' ? t('new.need_name') : undefined;
  const idFault = !FLOW_ID.test(id) ? t('new.bad_id') : taken.has(id) ? t('new.taken') : undefined;
  const make = useMutation({
    mutationFn: async () => {
      const { format } = await queries.fetchQuery({
        queryKey: ['flow-kinds'],
        queryFn: ({ signal }) => listKinds(signal),
        staleTime: Number.POSITIVE_INFINITY,
      });
      await saveDraft(id, emptyGraph(format, name.trim()), name.trim(), 0);
    },
    onSuccess: async () => {
      await changed();
      navigate({ name: 'flows', flow: id });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTold(true);
    if (nameFault === undefined && idFault === undefined) make.mutate();
  };
  return (
    <Modal
      open
      title={t('new.title')}
      footer={null}
      onCancel={onClose}
      closable={{ 'aria-label': common('common.close') }}
      width={440}
      centered
    >
      <form className="flow-new" onSubmit={submit} noValidate>
        <div className="field">
          <label htmlFor="flow-new-name">{t('new.name')}</label>
          <Input
            id="flow-new-name"
            autoFocus
            autoComplete="off"
            maxLength={128}
            value={name}
            placeholder={t('new.name_placeholder')}
            {...(isTold && nameFault !== undefined
              ? { status: 'error' as const, 'aria-describedby': 'flow-new-name-fault' }
              : {})}
            onChange={(event) => setName(event.target.value)}
          />
          {isTold && nameFault !== undefined && (
            <p id="flow-new-name-fault" className="field-fault">
              {nameFault}
            </p>
          )}
        </div>
        <div className="field">
          <label htmlFor="flow-new-id">{t('new.id')}</label>
          <Input
            id="flow-new-id"
            autoComplete="off"
            spellCheck={false}
            maxLength={64}
            value={id}
            aria-describedby="flow-new-id-about"
            {...(isTold && idFault !== undefined ? { status: 'error' as const } : {})}
            onChange={(event) => setOwn(event.target.value)}
          />
          <p
            id="flow-new-id-about"
            className={isTold && idFault !== undefined ? 'field-fault' : 'field-hint'}
          >
            {(isTold && idFault) || t('new.id_hint')}
          </p>
        </div>
        {make.error !== null && (
          <p className="field-fault" role="alert">
            {sentence(make.error, common)}
          </p>
        )}
        <div className="flow-new-foot">
          <Button onClick={onClose}>{common('common.cancel')}</Button>
          <Button type="primary" htmlType="submit" loading={make.isPending}>
            {t('new.create')}
          </Button>
        </div>
      </form>
    </Modal>
  );
}
