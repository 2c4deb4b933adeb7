/** Why a conversation changed hands, in words. */
import type { TFunction } from 'i18next';
import i18next from 'i18next';

export function whyText(why: string, t: TFunction): string {
  const key = `why.${why}`;
  return i18next.exists(key) ? t(key as 'why.other') : t('why.other');
}
