/** How this browser may call the agent: sound and desktop notifications, both off until asked for. */
import { useSyncExternalStore } from 'react';

export interface Prefs {
  readonly sound: boolean;
  readonly desktop: boolean;
}

const KEY = 'qingniao.console.notify';
const OFF: Prefs = { sound: false, desktop: false };
const listeners = new Set<() => void>();
let prefs = read();

function read(): Prefs {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return typeof kept === 'object' && kept !== null ? { ...OFF, ...kept } : OFF;
  } catch {
    return OFF;
  }
}

export const currentPrefs = (): Prefs => prefs;

export function changePrefs(change: Partial<Prefs>): void {
  prefs = { ...prefs, ...change };
  try {
    localStorage.setItem(KEY, JSON.stringify(prefs));
  } catch {
    // Then for as long as the page lives.
  }
  for (const changed of listeners) changed();
}

export function usePrefs(): Prefs {
  return useSyncExternalStore(
    (changed) => {
      listeners.add(changed);
      return () => listeners.delete(changed);
    },
    () => prefs,
  );
}

export type Permission = 'granted' | 'denied' | 'default' | 'unsupported';

export function permission(): Permission {
  return 'Notification' in window ? Notification.permission : 'unsupported';
}

/** Ask the browser. Only ever from a click. */
export async function askPermission(): Promise<Permission> {
  if (!('Notification' in window)) return 'unsupported';
  return Notification.requestPermission();
}
