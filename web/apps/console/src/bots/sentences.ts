/**
 * What the server says of a bot that failed, in the administrator's language. The server writes English; the Chinese
 * sentences are beside this file, by the English ones with `{}` for what differs. Owns the matching. Its one rule: a
 * sentence that is not known is shown as the server wrote it, never hidden; a platform's own words stay as they are.
 */
import type { TFunction } from 'i18next';
import type { Locale } from '../api/types.ts';
import chinese from './sentences.zh-CN.json';

const SAYS = ' It says: ';

interface Known {
  readonly pattern: RegExp;
  readonly said: string;
}

let known: { whole: ReadonlyMap<string, string>; holed: readonly Known[] } | null = null;

function compiled(): NonNullable<typeof known> {
  if (known === null) {
    const whole = new Map<string, string>();
    const holed: Known[] = [];
    for (const [english, said] of Object.entries(chinese)) {
      if (!english.includes('{}')) whole.set(english, said);
      else {
        const parts = english
          .split('{}')
          .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
        holed.push({ pattern: new RegExp(`^${parts.join('(.+?)')}$`, 's'), said });
      }
    }
    // What says more is tried first: "{} is asked too often." must not swallow a longer sentence.
    holed.sort((a, b) => b.pattern.source.length - a.pattern.source.length);
    known = { whole, holed };
  }
  return known;
}

function inChinese(english: string): string {
  const { whole, holed } = compiled();
  const found = whole.get(english);
  if (found !== undefined) return found;
  for (const { pattern, said } of holed) {
    const match = pattern.exec(english);
    if (match === null) continue;
    return said.replace(/\{(\d)\}/g, (_, number: string) => {
      const hole = match[Number(number) + 1] ?? '';
      return hole.endsWith('.') && hole.includes(' ') ? inChinese(hole) : hole;
    });
  }
  return english;
}

/** The sentence, and the platform's own words if it had any. */
export function botSentence(detail: string, locale: string, t: TFunction): string {
  const at = detail.indexOf(SAYS);
  const head = at < 0 ? detail : detail.slice(0, at);
  const tail = at < 0 ? '' : detail.slice(at + SAYS.length);
  const isChinese = (locale as Locale) === 'zh-CN';
  const first = isChinese ? inChinese(head.trim()) : head;
  if (tail === '') return first;
  return isChinese
    ? `${first}${t('bots.says', { said: tail })}`
    : `${first} ${t('bots.says', { said: tail })}`;
}
