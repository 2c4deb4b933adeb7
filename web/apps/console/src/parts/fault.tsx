/** What went wrong, in a sentence, with one button. What may pass is tried again without it. */
import { Button } from 'antd';
import type { TFunction } from 'i18next';
import i18next from 'i18next';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError } from '../api/http.ts';
import { Blank } from './blank.tsx';

/** A sentence for a person: ours for the codes we know, the server's own otherwise. */
export function sentence(error: unknown, t: TFunction): string {
  if (!(error instanceof ApiError)) return t('errors.unknown');
  const known = `errors.${error.code}`;
  if (i18next.exists(known)) return t(known as 'errors.unknown');
  if (error.message !== '') return error.message;
  if (error.status === 403) return t('errors.forbidden');
  if (error.status === 404) return t('errors.not_found');
  return t(error.status >= 500 ? 'errors.server' : 'errors.unknown');
}

/** At the soonest; and not all consoles at the same moment. */
const AGAIN_MS = 5_000;

export function Fault({ error, retry }: { error: unknown; retry: () => void }) {
  const { t } = useTranslation();
  const again = useRef(retry);
  again.current = retry;
  useEffect(() => {
    if (!(error instanceof ApiError && error.temporary)) return;
    const wait = Math.max(AGAIN_MS, error.retryAfterS * 1_000) * (1 + Math.random() / 2);
    const timer = setTimeout(() => again.current(), wait);
    return () => clearTimeout(timer);
  }, [error]);
  return (
    <Blank icon="alert" tone="fault" title={t('errors.title')} text={sentence(error, t)}>
      <Button onClick={retry}>{t('common.retry')}</Button>
    </Blank>
  );
}
