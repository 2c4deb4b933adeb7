/** What the loader and the rest of the widget tell each other. Types only: it weighs nothing. */

import type { copy } from './copy/zh.ts';

export type Locale = 'zh-CN' | 'en';

/** Every word that visitors read; Chinese is written first. */
export type Copy = typeof copy;

/** From the attributes of the pasted script tag. */
export interface Settings {
  /** The Qingniao server, from the script's own address. */
  readonly server: string;
  readonly locale: Locale;
  /** `#rrggbb`, or empty for the site's. */
  readonly colour: string;
}

/** What the launcher lets the panel do. */
export interface Launcher {
  readonly root: ShadowRoot;
  readonly button: HTMLButtonElement;
  /** The number on the launcher; 0 takes it away. */
  badge(unread: number): void;
}

/** What the panel lets the launcher do. */
export interface Panel {
  open(): void;
  close(): void;
  readonly isOpen: boolean;
}

export interface Part {
  mount(settings: Settings, launcher: Launcher, copy: Copy): Panel;
}
