/**
 * Short notices at the foot of the screen, with at most one action (undo). Owns their queue and their time.
 * Bounded: three at once, the oldest goes. Time stands still while the pointer or the focus is on them.
 */
import { useEffect, useState, useSyncExternalStore } from 'react';
import { useTranslation } from 'react-i18next';
import { Icon } from './icon.tsx';

const SHOWN_MS = 6_000;
const AT_ONCE = 3;

export interface Toast {
  readonly text: string;
  readonly tone?: 'calm' | 'fault';
  readonly action?: { readonly label: string; readonly run: () => void };
}

interface Shown extends Toast {
  readonly id: number;
}

let shown: readonly Shown[] = [];
let lastId = 0;
const listeners = new Set<() => void>();

function change(next: readonly Shown[]): void {
  shown = next;
  for (const changed of listeners) changed();
}

export function toast(notice: Toast): void {
  lastId += 1;
  change([...shown, { ...notice, id: lastId }].slice(-AT_ONCE));
}

function dismiss(id: number): void {
  change(shown.filter((one) => one.id !== id));
}

function subscribe(changed: () => void): () => void {
  listeners.add(changed);
  return () => listeners.delete(changed);
}

export function Toasts() {
  const { t } = useTranslation();
  const notices = useSyncExternalStore(subscribe, () => shown);
  const [held, setHeld] = useState(false);
  useEffect(() => {
    const oldest = notices[0];
    if (oldest === undefined || held) return;
    const timer = setTimeout(() => dismiss(oldest.id), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [notices, held]);

  return (
    <section
      className="toasts"
      aria-label={t('toast.label')}
      aria-live="polite"
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      {notices.map(({ id, text, tone, action }) => (
        <div key={id} className={tone === 'fault' ? 'toast toast-fault' : 'toast'}>
          <span className="toast-text">{text}</span>
          {action !== undefined && (
            <button
              type="button"
              className="toast-action"
              onClick={() => {
                dismiss(id);
                action.run();
              }}
            >
              {action.label}
            </button>
          )}
          <button
            type="button"
            className="toast-close"
            aria-label={t('toast.dismiss')}
            onClick={() => dismiss(id)}
          >
            <Icon name="close" size={14} />
          </button>
        </div>
      ))}
    </section>
  );
}
