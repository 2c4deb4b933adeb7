/** Light or dark, and whether things may move. Owns the choice, its storage and the attribute on the root element. */
import { useSyncExternalStore } from 'react';

export type Mode = 'auto' | 'light' | 'dark';

const KEY = 'qingniao.console.mode';
const dark = window.matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<() => void>();
let mode = stored();

function stored(): Mode {
  // Storage may be forbidden altogether, in which case reading throws.
  try {
    const kept = localStorage.getItem(KEY);
    return kept === 'light' || kept === 'dark' ? kept : 'auto';
  } catch {
    return 'auto';
  }
}

function isDark(): boolean {
  return mode === 'dark' || (mode === 'auto' && dark.matches);
}

function apply(): void {
  document.documentElement.dataset.theme = isDark() ? 'dark' : 'light';
  for (const changed of listeners) changed();
}

/** Start following the system's preference. Call once, before the first paint. */
export function startMode(): void {
  dark.addEventListener('change', apply);
  apply();
}

export function setMode(next: Mode): void {
  mode = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // The choice then lasts as long as the page.
  }
  apply();
}

function subscribe(changed: () => void): () => void {
  listeners.add(changed);
  return () => listeners.delete(changed);
}

export function useMode(): Mode {
  return useSyncExternalStore(subscribe, () => mode);
}

const calm = window.matchMedia('(prefers-reduced-motion: reduce)');

/** Whether the person asked for things not to move. */
export function useIsCalm(): boolean {
  return useSyncExternalStore(
    (changed) => {
      calm.addEventListener('change', changed);
      return () => calm.removeEventListener('change', changed);
    },
    () => calm.matches,
  );
}

export function useIsDark(): boolean {
  return useSyncExternalStore(subscribe, isDark);
}
