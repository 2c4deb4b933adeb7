/**
 * The console's addresses as values. Owns the mapping both ways; touches no browser. Its one rule:
 * `parse(format(route))` is `route`.
 */
import type { View } from '../api/types.ts';

export interface InboxRoute {
  readonly name: 'inbox';
  readonly view: View;
  /** The conversation that is open. */
  readonly id: number | null;
  /** The visitor's panel lies over it, where there is no room beside it. */
  readonly panel: boolean;
}

export type Route =
  | InboxRoute
  | { readonly name: 'knowledge' }
  | { readonly name: 'team' }
  | { readonly name: 'settings' };

export type Page = Route['name'];

export const HOME: InboxRoute = { name: 'inbox', view: 'mine', id: null, panel: false };

const VIEWS: readonly View[] = ['mine', 'waiting', 'all'];

/** Read an address below the base; what is unknown leads home. */
export function parse(path: string, search: string): Route {
  const parts = path.split('/').filter((part) => part !== '');
  const asked = new URLSearchParams(search).get('view');
  const view = VIEWS.find((known) => known === asked) ?? 'mine';
  const [page, id, panel] = parts;
  switch (page) {
    case 'knowledge':
    case 'team':
    case 'settings':
      return { name: page };
    case 'c': {
      const number = Number(id);
      if (!Number.isSafeInteger(number) || number <= 0) return { ...HOME, view };
      return { name: 'inbox', view, id: number, panel: panel === 'visitor' };
    }
    default:
      return { name: 'inbox', view, id: null, panel: false };
  }
}

/** The address of a route, relative to the base and without a leading slash. */
export function format(route: Route): string {
  if (route.name !== 'inbox') return route.name;
  const path = route.id === null ? '' : `c/${route.id}${route.panel ? '/visitor' : ''}`;
  return route.view === 'mine' ? path : `${path}?view=${route.view}`;
}
