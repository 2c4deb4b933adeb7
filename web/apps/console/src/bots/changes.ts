/** What differs between two versions of a bot. Owns the comparison; knows no words. */
import type { BotVersion } from '../api/bots.ts';

export interface Change {
  /** `name`, `kind`, a setting, or `policy.…`. */
  readonly field: string;
  /** As text; empty: it was not set. */
  readonly before: string;
  readonly after: string;
}

export function changesBetween(before: BotVersion, after: BotVersion): readonly Change[] {
  const found: Change[] = [];
  const compare = (field: string, was: unknown, is: unknown) => {
    const texts = { before: textOf(was), after: textOf(is) };
    if (texts.before !== texts.after) found.push({ field, ...texts });
  };
  compare('name', before.name, after.name);
  compare('kind', before.kind, after.kind);
  for (const field of names(before.settings, after.settings))
    compare(field, before.settings[field], after.settings[field]);
  for (const field of names(before.policy, after.policy))
    compare(`policy.${field}`, before.policy[field], after.policy[field]);
  return found;
}

function names(a: object, b: object): readonly string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) return value.map(textOf).join(' → ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
