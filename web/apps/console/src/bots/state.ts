/**
 * How a bot is, in one word, from what is known of it: whether it is published, what the platform said just now, what
 * visitors met lately. Owns the judgement. Its one rule: what is broken now goes before what broke, and that before what
 * is slow.
 */
import type { Bot, BotFailure, BotFigures, BotTried, BotVersion } from '../api/bots.ts';

export type BotState = 'draft' | 'checking' | 'ill' | 'failing' | 'slow' | 'well';

/** So long a failure is news, if nothing is known to have gone well since. */
export const LATELY_MS = 60 * 60_000;
/** From here on a visitor wonders whether anybody is there. */
export const SLOW_MS = 8_000;
/** Fewer answers say nothing of how fast a bot is. */
export const ENOUGH = 5;

export interface Known {
  readonly isPublished: boolean;
  readonly check: BotTried | undefined;
  readonly failure: BotFailure | null;
  readonly figures: BotFigures;
}

export function stateOf({ isPublished, check, failure, figures }: Known, nowMs: number): BotState {
  if (check !== undefined && !check.is_ok) return 'ill';
  if (!isPublished) return 'draft';
  if (check === undefined) return 'checking';
  if (failure !== null && nowMs - failure.time < LATELY_MS) return 'failing';
  if (figures.answers >= ENOUGH && figures.first_p95_ms >= SLOW_MS) return 'slow';
  return 'well';
}

export function publishedOf(bot: Bot): BotVersion | undefined {
  return bot.versions.find(({ status }) => status === 'published');
}

export function draftOf(bot: Bot): BotVersion | undefined {
  return bot.versions.find(({ status }) => status === 'draft');
}

/** What one answer costs, by currency, dearest first; empty: nobody told. */
export function costEach(figures: BotFigures): readonly (readonly [string, number])[] {
  if (figures.answers === 0) return [];
  return Object.entries(figures.cost)
    .map(([currency, sum]) => [currency, sum / figures.answers] as const)
    .sort((a, b) => b[1] - a[1]);
}

/** Money as a person reads it: enough digits for a fraction of a cent, and no more. */
export function money(amount: number, currency: string, locale: string): string {
  const digits = amount !== 0 && amount < 0.1 ? 4 : 2;
  const options = { minimumFractionDigits: 2, maximumFractionDigits: digits };
  if (/^[A-Z]{3}$/.test(currency)) {
    const style = { style: 'currency', currency, currencyDisplay: 'narrowSymbol' } as const;
    return new Intl.NumberFormat(locale, { ...style, ...options }).format(amount);
  }
  const number = new Intl.NumberFormat(locale, options).format(amount);
  return currency === '' ? number : `${number} ${currency}`;
}

/** Milliseconds as a person reads them: 172 ms, 1.1 s, 42 s. */
export function span(ms: number, locale: string): string {
  if (ms < 1_000) return `${new Intl.NumberFormat(locale).format(Math.round(ms))} ms`;
  const digits = ms < 10_000 ? 1 : 0;
  const options = { maximumFractionDigits: digits };
  return `${new Intl.NumberFormat(locale, options).format(ms / 1_000)} s`;
}
