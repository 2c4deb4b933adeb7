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

export interface BotsRoute {
  readonly name: 'bots';
  /** All of them, a new one, one, or two side by side. */
  readonly at: 'list' | 'new' | 'bot' | 'try';
  /** Which one; of two, the one on the right; of a new one, its platform. */
  readonly bot: string | null;
}

export interface FlowsRoute {
  readonly name: 'flows';
  /** The one on the canvas; none: all of them. */
  readonly flow: string | null;
}

export type Route =
  | InboxRoute
  | BotsRoute
  | FlowsRoute
  | { readonly name: 'knowledge' }
  | { readonly name: 'team' }
  | { readonly name: 'settings' };

export type Page = Route['name'];

export const HOME: InboxRoute = { name: 'inbox', view: 'mine', id: null, panel: false };

export const BOTS: BotsRoute = { name: 'bots', at: 'list', bot: null };

export const FLOWS: FlowsRoute = { name: 'flows', flow: null };

const FLOW = /^[a-z0-9][a-z0-9_-]{0,63}$/;
const BOT = /^[a-z0-9][a-z0-9-]{0,63}$/;
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
    case 'bots':
      return botsRoute(id, panel);
    case 'flows':
      return { name: 'flows', flow: id !== undefined && FLOW.test(id) ? id : null };
    case 'c': {
      const number = Number(id);
      if (!Number.isSafeInteger(number) || number <= 0) return { ...HOME, view };
      return { name: 'inbox', view, id: number, panel: panel === 'visitor' };
    }
    default:
      return { name: 'inbox', view, id: null, panel: false };
  }
}

function botsRoute(at: string | undefined, bot: string | undefined): BotsRoute {
  const known = bot !== undefined && BOT.test(bot) ? bot : null;
  if (at === 'new' || at === 'try') return { name: 'bots', at, bot: known };
  return at === 'bot' && known !== null ? { name: 'bots', at, bot: known } : BOTS;
}

/** The address of a route, relative to the base and without a leading slash. */
export function format(route: Route): string {
  if (route.name === 'bots') {
    if (route.at === 'list') return 'bots';
    return route.bot === null ? `bots/${route.at}` : `bots/${route.at}/${route.bot}`;
  }
  if (route.name === 'flows') return route.flow === null ? 'flows' : `flows/${route.flow}`;
  if (route.name !== 'inbox') return route.name;
  const path = route.id === null ? '' : `c/${route.id}${route.panel ? '/visitor' : ''}`;
  return route.view === 'mine' ? path : `${path}?view=${route.view}`;
}
