/**
 * Taking over, giving back, closing. Owns how each is asked for, its undo, and the sentence when it is refused.
 * Its one rule: nothing here asks "are you sure"; what can be undone offers to be.
 */
import { Code } from '@qingniao/protocol/codes';
import { EntryType, type ErrorFrame } from '@qingniao/protocol/frames';
import type { TFunction } from 'i18next';
import { useEffect, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { visitorName } from '../format/names.ts';
import { toast } from '../parts/toast.tsx';
import { navigate } from '../router/router.ts';
import { useLive } from './context.tsx';

const SENTENCES = {
  [Code.STORAGE_FULL]: 'errors.storage_full',
  [Code.NOT_YOURS]: 'errors.not_yours',
  [Code.BAD_BODY]: 'errors.bad_body',
  [Code.NOT_ALLOWED]: 'errors.forbidden',
  [Code.NOT_NOW]: 'errors.not_now',
  [Code.OWNED]: 'errors.owned',
  [Code.TOO_MANY]: 'errors.too_many',
} as const;

/** A refusal of the wire in a sentence: ours for the codes we know, else the server's. */
export function refusal(error: { code: number; text: string }, t: TFunction): string {
  const key = (SENTENCES as Readonly<Record<number, (typeof SENTENCES)[keyof typeof SENTENCES]>>)[
    error.code
  ];
  if (key !== undefined) return t(key);
  return error.text === '' ? t('errors.unknown') : error.text;
}

export interface Actions {
  take(id: number): void;
  giveBack(id: number): void;
  close(id: number): void;
}

export function useActions(): Actions {
  const { client, rows } = useLive();
  const { t } = useTranslation();
  return useMemo(() => {
    const name = (id: number): string => {
      const visitor = rows.current().get(id)?.visitor;
      return visitor === undefined ? '' : visitorName(visitor, t);
    };
    const take = (id: number): void => {
      client.action(id, 'take');
    };
    const undoable = (id: number, action: string, key: 'toast.closed' | 'toast.returned'): void => {
      client.action(id, action);
      toast({
        text: t(key, { name: name(id) }),
        action: {
          label: t('common.undo'),
          run: () => {
            take(id);
            navigate({ name: 'inbox', view: 'mine', id, panel: false });
          },
        },
      });
    };
    return {
      take,
      giveBack: (id) => undoable(id, 'return', 'toast.returned'),
      close: (id) => undoable(id, 'close', 'toast.closed'),
    };
  }, [client, rows, t]);
}

/** Says what was refused, for requests that have no place of their own on the screen. Mount once. */
export function useRefusals(): void {
  const { client } = useLive();
  const { t } = useTranslation();
  useEffect(() => {
    return client.on('refused', (error: ErrorFrame) => {
      const { pending } = client.view(error.conversation);
      const acts = pending.filter((one) => one.type === EntryType.ACTION && one.state === 'failed');
      for (const { key } of acts) client.discard(error.conversation, key);
      // A refused message stays in its conversation with its reason and a retry.
      const isMessage = error.n > 0 && acts.length === 0;
      if (isMessage || error.temporary || error.code === Code.NOT_YOURS) return;
      toast({ text: t('toast.failed', { why: refusal(error, t) }), tone: 'fault' });
    });
  }, [client, t]);
}
