/**
 * The script that customers paste. Owns the launcher and when the rest is fetched; refuses
 * everything else, because every page view pays for it.
 *
 * Rule: nothing is fetched before the visitor asks, unless they were talking a short while ago.
 */

import type { Copy, Launcher, Locale, Panel, Part, Settings } from './contract.ts';
import css from './loader.css?inline';

/** File names with their hashes, set by the build. */
declare const PANEL_FILE: string;
declare const COPY_FILES: Readonly<Record<Locale, string>>;

const script = document.currentScript as HTMLScriptElement;
const { locale: wanted, colour = '' } = script.dataset;
const server = new URL(script.src).origin;
const language = wanted || document.documentElement.lang || navigator.language;
const locale: Locale = /^zh/i.test(language) ? 'zh-CN' : 'en';
const settings: Settings = { server, locale, colour };

const host = document.createElement('div');
const root = host.attachShadow({ mode: 'open' });
const sheet = new CSSStyleSheet();
sheet.replaceSync(css);
root.adoptedStyleSheets = [sheet];

const label = locale === 'en' ? 'Chat with us' : '在线咨询';
const button = document.createElement('button');
button.className = 'launcher';
button.ariaLabel = label;
const count = document.createElement('b');
button.append(count);
root.append(button);

const launcher: Launcher = {
  root,
  button,
  badge: (unread) => {
    count.textContent = `${unread > 99 ? '99+' : unread || ''}`;
    button.ariaLabel = unread ? `${label} (${unread})` : label;
  },
};
// The browser ignores what is no colour.
button.style.background = colour;

const part = <T>(file: string): Promise<T> => import(/* @vite-ignore */ `${server}/widget/${file}`);
let panel: Promise<Panel> | undefined;
const load = (): Promise<Panel> => {
  panel ??= Promise.all([part<Part>(PANEL_FILE), part<{ copy: Copy }>(COPY_FILES[locale])]).then(
    ([{ mount }, { copy }]) => mount(settings, launcher, copy),
  );
  // A lost network is not forever: the next press tries again.
  panel.catch(() => {
    panel = undefined;
  });
  return panel;
};
const open = (): void => void load().then((it) => it.open());
const close = (): void => void panel?.then((it) => it.close());

button.onclick = open;
(window as unknown as { qingniao: unknown }).qingniao = { open, close };

const start = (): void => {
  document.body.append(host);
  if ('open' in script.dataset) return open();
  try {
    const { at } = JSON.parse(localStorage.getItem(`qingniao:${server}`) || '{}');
    if (Date.now() - at < 864e5) void load();
  } catch {
    // No storage on this page: nothing to resume.
  }
};
if (document.body) start();
else addEventListener('DOMContentLoaded', start);
