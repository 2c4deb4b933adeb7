/**
 * Everything behind the launcher. Owns opening and closing, focus, the unread flag and the size on
 * phones; refuses what is said inside.
 *
 * Rule: the host page gets back what it lent: focus, title and scrolling.
 */

import tokens from '@qingniao/ui/tokens.css?inline';
import { createChat } from './chat.ts';
import { legible } from './colour.ts';
import type { Copy, Launcher, Panel, Settings } from './contract.ts';
import { acceptDrops } from './drop.ts';
import { Frame } from './Frame.tsx';
import { h, render } from './h.ts';
import css from './panel.css?inline';
import type { Scene } from './scene.ts';
import { createScroll } from './scroll.ts';
import { createTitleFlag } from './title.ts';

/** A short loss of the connection is not worth a word. */
const OFFLINE_MS = 1_500;
const PHONE = '(max-width: 480px)';

export function mount(settings: Settings, launcher: Launcher, copy: Copy): Panel {
  const { root, button } = launcher;
  const field: Scene['field'] = { current: null };
  const log: Scene['log'] = { current: null };
  const content: Scene['content'] = { current: null };
  const ui = { text: '', score: 0, comment: '' };
  const flag = createTitleFlag(copy.flag);
  const phone = matchMedia(PHONE);
  let isOpen = false;
  let isPlanned = false;
  let lostAt = 0;
  let painted = '';
  let scrolling = '';

  const sheet = new CSSStyleSheet();
  sheet.replaceSync(tokens + css);
  root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
  const box = document.createElement('div');
  box.className = 'panel';
  box.role = 'dialog';
  box.setAttribute('aria-labelledby', 'title');
  box.lang = settings.locale;
  box.tabIndex = -1;
  box.hidden = true;
  root.append(box);
  button.ariaExpanded = 'false';

  const chat = createChat(settings, copy, () => plan());
  const scroll = createScroll(
    () => log.current,
    () => plan(),
  );

  /** At most one drawing for a burst of changes; a hidden page still counts what is unread. */
  const plan = (): void => {
    if (isPlanned) return;
    isPlanned = true;
    queueMicrotask(() => {
      isPlanned = false;
      draw();
    });
  };

  const draw = (): void => {
    const now = chat.snapshot();
    const isWatched = isOpen && document.visibilityState === 'visible';
    launcher.badge(isOpen ? 0 : now.unread);
    flag(document.hidden ? now.unread : 0);
    paint(settings.colour || now.site?.colour || '');
    if (now.link === 'online') lostAt = 0;
    else if (lostAt === 0) {
      lostAt = Date.now();
      setTimeout(plan, OFFLINE_MS);
    }
    if (!isOpen) return;
    const isOffline = lostAt > 0 && Date.now() - lostAt >= OFFLINE_MS;
    const { missed } = scroll;
    const lent = { chat, now, copy, settings, ui, field, log, content };
    const does = { onScroll, toBottom: scroll.toBottom, close, plan };
    scroll.before();
    render(box, [<Frame scene={{ ...lent, ...does, missed, isOffline }} />]);
    scroll.after(now);
    if (isWatched && scroll.isPinned && now.unread > 0) chat.seen();
  };
  const onScroll = (): void => {
    if (scroll.moved()) chat.older();
    if (scroll.isPinned) plan();
  };

  const paint = (colour: string): void => {
    if (colour === painted) return;
    painted = colour;
    const solid = legible(colour);
    if (!solid) return;
    button.style.background = solid;
    (root.host as HTMLElement).style.setProperty('--qn-brand-solid', solid);
  };

  /** A picture that loads or a field that grows must not hide the last message. */
  const sizes = new ResizeObserver(() => scroll.isPinned && scroll.toBottom());

  /** On a phone the panel is as large as what the keyboard leaves. */
  const fit = (): void => {
    const viewport = window.visualViewport;
    if (!viewport) return;
    box.style.setProperty('--height', `${viewport.height}px`);
    box.style.setProperty('--top', `${viewport.offsetTop}px`);
  };
  /** Behind a full screen the page must not scroll. */
  const lock = (): void => {
    const isFull = isOpen && phone.matches;
    const page = document.documentElement.style;
    if (isFull && page.overflow !== 'hidden') {
      scrolling = page.overflow;
      page.overflow = 'hidden';
    } else if (!isFull && page.overflow === 'hidden') page.overflow = scrolling;
    box.ariaModal = isFull ? 'true' : null;
  };

  const open = (): void => {
    if (isOpen) return;
    isOpen = true;
    box.hidden = false;
    button.ariaExpanded = 'true';
    fit();
    lock();
    draw();
    if (content.current && log.current) {
      sizes.observe(content.current);
      sizes.observe(log.current);
    }
    // On a phone the field's focus would raise the keyboard before anything was read.
    if (phone.matches) box.focus();
    else field.current?.focus();
  };
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    box.hidden = true;
    button.ariaExpanded = 'false';
    lock();
    button.focus();
    plan();
  };

  box.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !event.isComposing) close();
    if (event.key === 'Tab' && box.ariaModal) keepInside(event, box, root);
    // The page's own shortcuts must not fire while somebody writes.
    event.stopPropagation();
  });
  acceptDrops(box, copy.drop, chat.attach);
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) chat.wake();
    plan();
  });
  addEventListener('online', () => chat.wake());
  visualViewport?.addEventListener('resize', fit);
  visualViewport?.addEventListener('scroll', fit);
  phone.addEventListener('change', lock);

  return {
    open,
    close,
    get isOpen() {
      return isOpen;
    },
  };
}

/** Tab goes round inside of a panel that fills the screen. */
function keepInside(event: KeyboardEvent, box: HTMLElement, root: ShadowRoot): void {
  const stops = [
    ...box.querySelectorAll<HTMLElement>('button:not(:disabled),textarea,a,summary,[tabindex="0"]'),
  ];
  const edge = event.shiftKey ? stops[0] : stops.at(-1);
  if (root.activeElement !== edge && root.activeElement !== box) return;
  event.preventDefault();
  (event.shiftKey ? stops.at(-1) : stops[0])?.focus();
}
