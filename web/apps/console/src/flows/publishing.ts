/** Publishing a draft and dropping it. Owns the words that follow; what may be published the server says. */
import { useMutation } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { dropDraft, publishFlow } from '../api/flows.ts';
import { sentence } from '../parts/fault.tsx';
import { toast } from '../parts/toast.tsx';
import { useFlowsChanged } from './queries.ts';
import { faultWords } from './refused.ts';
import type { Saving } from './saving.ts';
import { liveOf } from './states.ts';

function useFailed() {
  const { t: common } = useTranslation();
  return (cause: unknown) => {
    const why = faultWords(cause) ?? sentence(cause, common);
    toast({ text: common('toast.failed', { why }), tone: 'fault' });
  };
}

export function usePublish(flow: string, saving: Saving) {
  const { t } = useTranslation('flows');
  const changed = useFlowsChanged();
  return useMutation({
    mutationFn: async () => {
      const beganFrom = await saving.flush();
      // It says itself why it was not saved.
      return beganFrom === undefined ? undefined : publishFlow(flow, beganFrom);
    },
    onSuccess: (told) => {
      if (told === undefined) return;
      saving.forget();
      toast({ text: t('bar.published', { number: liveOf(told)?.version ?? 0 }) });
      void changed(told);
    },
    onError: useFailed(),
  });
}

export function useDrop(flow: string, saving: Saving, onAgain: () => Promise<void>) {
  const { t } = useTranslation('flows');
  return useMutation({
    mutationFn: () => {
      saving.abandon();
      return dropDraft(flow);
    },
    onSuccess: () => {
      toast({ text: t('bar.dropped') });
      return onAgain();
    },
    onError: useFailed(),
  });
}
