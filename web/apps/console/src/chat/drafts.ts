/** What was typed and not sent yet, by conversation: going elsewhere and back loses nothing, nor does a reload. */

export type Mode = 'reply' | 'note';

const KEY = 'qingniao.console.draft';
const kept = new Map<string, string>();

const nameOf = (id: number, mode: Mode): string => `${KEY}.${id}.${mode}`;

export function draftOf(id: number, mode: Mode): string {
  const name = nameOf(id, mode);
  const held = kept.get(name);
  if (held !== undefined) return held;
  try {
    return sessionStorage.getItem(name) ?? '';
  } catch {
    return '';
  }
}

export function keepDraft(id: number, mode: Mode, text: string): void {
  const name = nameOf(id, mode);
  kept.set(name, text);
  try {
    if (text === '') sessionStorage.removeItem(name);
    else sessionStorage.setItem(name, text);
  } catch {
    // Full or forbidden storage: the draft then lasts as long as the page.
  }
}
