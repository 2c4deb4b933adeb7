/**
 * What was typed into a bot's form and not saved, while the page is elsewhere. Owns it for as long as the tab lives. Its
 * one rule: secrets are not kept, and nothing is kept for a version that is no longer the newest.
 */
import type { BotForm } from './form.ts';

interface Kept {
  readonly stamp: number;
  readonly form: BotForm;
}

/** Nobody has more forms half filled; the oldest goes. */
const MOST = 20;
const kept = new Map<string, Kept>();

export function keep(key: string, stamp: number, form: BotForm): void {
  kept.delete(key);
  kept.set(key, { stamp, form: { ...form, secrets: {} } });
  const [oldest] = kept.keys();
  if (kept.size > MOST && oldest !== undefined) kept.delete(oldest);
}

export function keptOf(key: string, stamp: number): BotForm | undefined {
  const found = kept.get(key);
  return found?.stamp === stamp ? found.form : undefined;
}

export function forget(key: string): void {
  kept.delete(key);
}
