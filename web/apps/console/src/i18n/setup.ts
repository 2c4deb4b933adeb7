/**
 * The console's two languages. Owns loading and switching; the words are in the JSON files beside it.
 * Its one rule: before the first paint the language is loaded, so no key is ever shown.
 */
import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import type { Locale } from '../api/types.ts';

const KEY = 'qingniao.console.locale';

async function words(locale: Locale): Promise<Record<string, unknown>> {
  const loaded = locale === 'en' ? await import('./en.json') : await import('./zh-CN.json');
  return loaded.default;
}

/** The language before anyone has signed in: the last one used here, else the browser's. */
export function firstLocale(kept: string | null, wanted: readonly string[]): Locale {
  if (kept === 'zh-CN' || kept === 'en') return kept;
  const first = wanted.find((tag) => /^(zh|en)\b/i.test(tag));
  return first?.toLowerCase().startsWith('en') ? 'en' : 'zh-CN';
}

export async function startLanguage(): Promise<void> {
  const lng = firstLocale(readKept(), navigator.languages);
  await i18next.use(initReactI18next).init({
    lng,
    // A missing word is a defect that the parity test finds; there is no second language to fall back on.
    fallbackLng: false,
    resources: { [lng]: { translation: await words(lng) } },
    interpolation: { escapeValue: false },
    react: { useSuspense: false },
  });
  announce(lng);
}

/** Change the language of everything on screen. */
export async function switchLanguage(locale: Locale): Promise<void> {
  if (i18next.language === locale) return;
  if (!i18next.hasResourceBundle(locale, 'translation')) {
    i18next.addResourceBundle(locale, 'translation', await words(locale));
  }
  await i18next.changeLanguage(locale);
  announce(locale);
}

function announce(locale: Locale): void {
  document.documentElement.lang = locale;
  try {
    localStorage.setItem(KEY, locale);
  } catch {
    // Without storage the browser's language decides next time.
  }
}

function readKept(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
