/** The address bar as React state. Owns history; knows routes only through `route.ts`. */
import { type MouseEvent, useSyncExternalStore } from 'react';
import { format, parse, type Route } from './route.ts';

const BASE = import.meta.env.BASE_URL;
const CHANGED = 'qingniao:navigated';

let current = read();

function read(): Route {
  const { pathname, search } = window.location;
  return parse(pathname.startsWith(BASE) ? pathname.slice(BASE.length) : '', search);
}

function subscribe(changed: () => void): () => void {
  const refresh = () => {
    current = read();
    changed();
  };
  window.addEventListener('popstate', refresh);
  window.addEventListener(CHANGED, refresh);
  return () => {
    window.removeEventListener('popstate', refresh);
    window.removeEventListener(CHANGED, refresh);
  };
}

/** Where the agent is. */
export function useRoute(): Route {
  return useSyncExternalStore(subscribe, () => current);
}

export function href(route: Route): string {
  return BASE + format(route);
}

/** Go somewhere; `replace` leaves no step to go back to. */
export function navigate(route: Route, { replace = false }: { replace?: boolean } = {}): void {
  const next = href(route);
  if (next === window.location.pathname + window.location.search) return;
  // `depth` tells `goBack` whether the step before is ours.
  const depth = replace ? depthNow() : depthNow() + 1;
  if (replace) window.history.replaceState({ depth }, '', next);
  else window.history.pushState({ depth }, '', next);
  window.dispatchEvent(new Event(CHANGED));
}

function depthNow(): number {
  const state: unknown = window.history.state;
  if (typeof state !== 'object' || state === null || !('depth' in state)) return 0;
  return typeof state.depth === 'number' ? state.depth : 0;
}

/** Back to `parent`: a step back when we came from inside the console, otherwise straight there. */
export function goBack(parent: Route): void {
  if (depthNow() > 0) window.history.back();
  else navigate(parent, { replace: true });
}

/** What a link to `route` needs, so that a plain click stays inside and every other click is the browser's. */
export function linkTo(route: Route): { href: string; onClick: (event: MouseEvent) => void } {
  return {
    href: href(route),
    onClick: (event) => {
      if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
        return;
      event.preventDefault();
      navigate(route);
    },
  };
}
