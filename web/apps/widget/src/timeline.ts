/**
 * A conversation as the lines a visitor sees. Owns grouping, separators and which entries are
 * shown at all; refuses markup.
 *
 * Rule: a pure function of the conversation, so that live and replayed look the same.
 */

import type { Conversation, Pending } from '@qingniao/client/conversation';
import { type Body, type Entry, EntryType, type JsonMap } from '@qingniao/protocol/frames';
import type { Copy } from './contract.ts';

export interface Cite {
  readonly title: string;
  readonly quote: string;
}

interface Said {
  readonly key: string;
  readonly type: number;
  readonly body: Body;
  /** Opens a group of lines by the same sender. */
  readonly isFirst: boolean;
}
export type Line =
  | { readonly kind: 'time'; readonly key: string; readonly time: number }
  | { readonly kind: 'status'; readonly key: string; readonly text: string }
  | (Said & {
      readonly kind: 'mine';
      readonly state: Pending['state'] | 'read' | 'stored';
      readonly code: number;
    })
  | (Said & {
      readonly kind: 'theirs';
      readonly who: 'bot' | 'agent';
      readonly name: string;
      readonly isDraft: boolean;
      readonly seq?: number;
      /** What the visitor gave a bot's answer, 0 for nothing; none where there is nothing to rate. */
      readonly thumb?: number | undefined;
    });

export interface Timeline {
  readonly lines: readonly Line[];
  /** Choices under the last answer. */
  readonly options: readonly string[];
  /** The conversation ended and nobody has rated it yet. */
  readonly asksRating: boolean;
  /** Somebody is writing, or the bot is thinking. */
  readonly isTyping: boolean;
  /** Nothing was ever said. */
  readonly isEmpty: boolean;
  /** `seq` of what others said, ascending. */
  readonly heard: readonly number[];
}

/** A pause longer than this gets a time. */
const PAUSE_MS = 5 * 60_000;
/** As long as the sample flow waits for a whole answer. */
const THINKING_MS = 60_000;
const SHOWN = new Set<number>([EntryType.TEXT, EntryType.FILE, EntryType.ANSWER]);

export const asMap = (body: Body): JsonMap => (typeof body === 'object' && body ? body : {});

const str = (value: unknown): string => (typeof value === 'string' ? value : '');

/** The words of a text or an answer. */
export const wordsOf = (body: Body): string =>
  typeof body === 'string' ? body : str(asMap(body).text);

export function citesOf(body: Body): Cite[] {
  const { cites } = asMap(body);
  if (!Array.isArray(cites)) return [];
  return (cites as JsonMap[]).map((cite) => ({ title: str(cite.title), quote: str(cite.quote) }));
}

export function timeline(view: Conversation, copy: Copy, now: number): Timeline {
  const lines: Line[] = [];
  const heard: number[] = [];
  const names = namesOf(view);
  const readUpTo = view.state.status === 'bot' ? 0 : (view.state.read?.a ?? 0);
  let before = 0;
  let group = '';
  let asksRating = false;

  const thumbs = new Map<unknown, unknown>();
  for (const { body } of [...view.entries, ...view.pending]) {
    const { of, score } = asMap(body);
    thumbs.set(of, score);
  }

  const pause = (time: number): void => {
    if (time - before > PAUSE_MS) {
      lines.push({ kind: 'time', key: `t${time}`, time });
      group = '';
    }
    before = time;
  };
  const quiet = (key: string, text: string): void => {
    group = '';
    if (text) lines.push({ kind: 'status', key, text });
  };

  for (const entry of view.entries) {
    const { seq, sender, type, body } = entry;
    const key = `e${seq}`;
    if (type === EntryType.STATUS) {
      asksRating = asMap(body).to === 'closed';
      quiet(key, statusText(entry, copy));
    } else if (type === EntryType.RATING) {
      if (asMap(body).of) continue;
      asksRating = false;
      quiet(key, copy.rated(Number(asMap(body).score) || 0));
    } else if (SHOWN.has(type)) {
      pause(entry.time);
      const isFirst = group !== sender;
      group = sender;
      if (sender === 'v') {
        asksRating = false;
        const state = seq <= readUpTo ? 'read' : 'stored';
        lines.push({ kind: 'mine', key, type, body, isFirst, state, code: 0 });
      } else {
        heard.push(seq);
        const who = sender.startsWith('a') ? 'agent' : 'bot';
        const name = who === 'bot' ? copy.bot : (names.get(sender) ?? copy.agent);
        const thumb = asMap(body).bot ? Number(thumbs.get(seq)) || 0 : undefined;
        const said = { key, type, body, isFirst, who, name, seq, thumb } as const;
        lines.push({ kind: 'theirs', ...said, isDraft: false });
      }
    }
  }

  for (const [draft, text] of view.drafts) {
    const said = { key: `d${draft}`, type: EntryType.TEXT, body: text };
    const isFirst = group !== 'b';
    group = 'b';
    lines.push({ kind: 'theirs', ...said, isFirst, who: 'bot', name: copy.bot, isDraft: true });
  }
  for (const { key, type, body, state, error, time } of view.pending) {
    if (!SHOWN.has(type)) continue;
    pause(Math.max(time, before));
    const isFirst = group !== 'v';
    group = 'v';
    lines.push({ kind: 'mine', key, type, body, isFirst, state, code: error?.code ?? 0 });
  }

  const last = lines.at(-1);
  return {
    lines,
    heard,
    options: last?.kind === 'theirs' ? optionsOf(last.body) : [],
    asksRating: asksRating && view.state.status !== 'bot',
    isTyping: view.typing !== null || isThinking(view, now),
    isEmpty: !lines.some((line) => line.kind === 'mine' || line.kind === 'theirs'),
  };
}

function optionsOf(body: Body): string[] {
  const { options } = asMap(body);
  return Array.isArray(options) ? options.filter((one) => typeof one === 'string') : [];
}

/** The visitor spoke last and a bot has the conversation: an answer is on its way. */
function isThinking(view: Conversation, now: number): boolean {
  const last = view.entries.at(-1);
  return (
    view.state.status === 'bot' &&
    view.drafts.size === 0 &&
    last?.sender === 'v' &&
    last.type === EntryType.TEXT &&
    now - last.time < THINKING_MS
  );
}

function namesOf(view: Conversation): Map<string, string> {
  const names = new Map<string, string>();
  const note = (agent: unknown): void => {
    const { id, name } = (agent ?? {}) as Partial<Record<string, unknown>>;
    if (typeof id === 'number' && typeof name === 'string' && name) names.set(`a${id}`, name);
  };
  for (const entry of view.entries) {
    if (entry.type === EntryType.STATUS) note(asMap(entry.body).agent);
  }
  note(view.state.assignee);
  return names;
}

function statusText(entry: Entry, copy: Copy): string {
  const { from, to, agent } = asMap(entry.body);
  if (to === 'waiting') return copy.toWaiting;
  if (to === 'open') return copy.toOpen(str((agent as JsonMap | undefined)?.name) || copy.agent);
  if (to === 'closed') return copy.toClosed;
  if (to !== 'bot') return '';
  if (from === 'closed') return copy.reopened;
  // A conversation's very first status says nothing that the header does not.
  return from === 'open' || from === 'waiting' ? copy.toBot : '';
}
