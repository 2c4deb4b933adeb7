/** What went wrong, in a sentence, with one button. */
import { Button } from 'antd';
import type { TFunction } from 'i18next';
import i18next from 'i18next';
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

export function Fault({ error, retry }: { error: unknown; retry: () => void }) {
  const { t } = useTranslation();
  return (
    <Blank icon="alert" tone="fault" title={t('errors.title')} text={sentence(error, t)}>
      <Button onClick={retry}>{t('common.retry')}</Button>
    </Blank>
  );
}
