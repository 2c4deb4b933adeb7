/**
 * Who this visitor is. Owns the token kept in the browser and the public HTTP calls; refuses the
 * socket.
 *
 * Rule: a visitor who came before stays the same visitor; storage that is missing costs only that.
 */

import { RefusedError } from '@qingniao/client/link';
import { Close } from '@qingniao/protocol/codes';

import type { Locale, Settings } from './contract.ts';

export interface Visitor {
  readonly token: string;
  readonly conversation: number;
  /** Milliseconds since 1970. */
  readonly expires: number;
}

export interface Site {
  readonly name: string;
  readonly greeting: Readonly<Record<Locale, string>>;
  readonly quick: Readonly<Record<Locale, readonly string[]>>;
  readonly colour: string;
  readonly file_bytes: number;
  readonly hours: string;
}

export interface Session {
  /** Who we are: remembered, or introduced to the server. */
  visitor(): Promise<Visitor>;
  /** The token is no longer accepted. */
  forget(): void;
  /** Something was said: the next page resumes. */
  touch(): void;
  site(): Promise<Site>;
}

const DEADLINE_MS = 10_000;
/** Renew a token that would end within a day. */
const SOON_MS = 864e5;

export function createSession({ server, locale }: Settings): Session {
  const name = `qingniao:${server}`;
  let held = recall(name);

  const call = async (path: string, init: RequestInit = {}): Promise<unknown> => {
    const response = await fetch(`${server}/api/v1${path}`, {
      ...init,
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    if (response.status === 403) throw new RefusedError(Close.BANNED);
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return response.json();
  };

  const keep = (at: number): void => {
    try {
      localStorage.setItem(name, JSON.stringify({ ...held, at }));
    } catch {
      // Blocked or full: this page still works, the next one begins anew.
    }
  };

  return {
    visitor: async () => {
      if (held && held.expires > Date.now() + SOON_MS) return held;
      const about = {
        locale,
        page: location.href,
        referrer: document.referrer,
        title: document.title,
        ...(held && { token: held.token }),
      };
      held = (await call('/visitors', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(about),
      })) as Visitor;
      keep(0);
      return held;
    },
    forget: () => {
      held = null;
    },
    touch: () => keep(Date.now()),
    site: () => call('/site') as Promise<Site>,
  };
}

function recall(name: string): Visitor | null {
  try {
    const kept = JSON.parse(localStorage.getItem(name) ?? 'null') as Visitor | null;
    return kept && typeof kept.token === 'string' && kept.conversation > 0 ? kept : null;
  } catch {
    return null;
  }
}
