/** What every part of the panel is drawn from. Rule: drawing changes none of it. */

import type { Chat, Snapshot } from './chat.ts';
import type { Copy, Settings } from './contract.ts';
import type { Ref } from './h.ts';

/** What the visitor has done to the panel and not yet said. */
export interface Ui {
  /** Written and not sent. */
  text: string;
  /** Stars chosen and not sent; 0 before. */
  score: number;
  comment: string;
}

export interface Scene {
  readonly chat: Chat;
  readonly now: Snapshot;
  readonly copy: Copy;
  readonly settings: Settings;
  readonly ui: Ui;
  /** Messages below what is in view. */
  readonly missed: number;
  /** The connection has been gone for long enough to be worth a word. */
  readonly isOffline: boolean;
  readonly field: Ref<HTMLTextAreaElement>;
  readonly log: Ref<HTMLDivElement>;
  readonly content: Ref<HTMLDivElement>;
  onScroll(): void;
  toBottom(): void;
  close(): void;
  /** Something in `ui` changed. */
  plan(): void;
}
