/** The real words, for tests of sentences. */
import i18next, { type i18n } from 'i18next';
import en from '../src/i18n/en.json';
import zh from '../src/i18n/zh-CN.json';

export async function speak(lng: 'zh-CN' | 'en'): Promise<i18n> {
  const words = { 'zh-CN': { translation: zh }, en: { translation: en } };
  await i18next.init({
    lng,
    fallbackLng: false,
    resources: words,
    interpolation: { escapeValue: false },
  });
  return i18next;
}
