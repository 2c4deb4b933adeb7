/**
 * The scroll position. Rule: at the bottom it stays at the bottom; anywhere else it stays where
 * the reader is, whatever arrives above or below.
 */

import { firstSeq } from '@qingniao/client/conversation';
import type { Snapshot } from './chat.ts';

export interface Scroll {
  /** New messages below what is in view. */
  readonly missed: number;
  readonly isPinned: boolean;
  /** Before drawing: remembers where things are. */
  before(): void;
  /** After drawing `now`. */
  after(now: Snapshot): void;
  /** The reader scrolled; true near the top, where older messages belong. */
  moved(): boolean;
  toBottom(): void;
}

const NEAR_BOTTOM = 60;
const NEAR_TOP = 40;

export function createScroll(box: () => HTMLElement | null, changed: () => void): Scroll {
  let isPinned = true;
  let missed = 0;
  let height = 0;
  let first = 0;
  let heard = 0;
  let mine = 0;

  /** As large as when it was last put to the bottom? Otherwise the layout moved it, no reader. */
  let shape = 0;
  const measure = (element: HTMLElement): number => element.scrollHeight * element.clientHeight;

  const toBottom = (): void => {
    isPinned = true;
    if (missed > 0) changed();
    missed = 0;
    const element = box();
    if (element) {
      element.scrollTop = element.scrollHeight;
      shape = measure(element);
    }
  };

  return {
    get missed() {
      return missed;
    },
    get isPinned() {
      return isPinned;
    },
    before: () => {
      height = box()?.scrollHeight ?? 0;
    },
    after: ({ lines, view }) => {
      const element = box();
      if (!element) return;
      const start = firstSeq(view);
      const spoken = lines.lines.filter((line) => line.kind === 'mine').length;
      if (isPinned || (spoken > mine && start === first)) toBottom();
      else if (start < first) element.scrollTop += element.scrollHeight - height;
      else {
        const fresh = lines.heard.filter((seq) => seq > heard).length;
        missed += fresh;
        if (fresh > 0) changed();
      }
      first = start;
      mine = spoken;
      heard = lines.heard.at(-1) ?? 0;
    },
    moved: () => {
      const element = box();
      if (!element) return false;
      const moved = isPinned && shape !== measure(element);
      isPinned =
        moved || element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_BOTTOM;
      if (moved || (isPinned && missed > 0)) toBottom();
      return element.scrollTop < NEAR_TOP;
    },
    toBottom,
  };
}
