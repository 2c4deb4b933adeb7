/** Bots over HTTP, by hand from docs/reference/http.md: shapes, and one function for each call. */
import { ApiError, readLines, request } from './http.ts';

export interface BotVersion {
  readonly version: number;
  readonly kind: string;
  readonly name: string;
  readonly status: 'draft' | 'published';
  readonly settings: Readonly<Record<string, unknown>>;
  readonly policy: Readonly<Record<string, unknown>>;
  readonly note: string;
  readonly updated: number;
}

/** Of the last 24 hours. */
export interface BotFigures {
  readonly answers: number;
  readonly failures: number;
  readonly first_p50_ms: number;
  readonly first_p95_ms: number;
  readonly took_ms: number;
  readonly tokens: number;
  readonly cost: Readonly<Record<string, number>>;
}

export interface BotFailure {
  readonly code: string;
  readonly detail: string;
  readonly time: number;
}

export interface BotUse {
  readonly kind: 'first' | 'node' | 'then';
  readonly title: Readonly<Record<string, string>>;
  readonly of: string;
}

interface About {
  readonly id: string;
  readonly figures: BotFigures;
  readonly failure: BotFailure | null;
  readonly uses: readonly BotUse[];
}

export interface Bot extends About {
  /** Newest first. */
  readonly versions: readonly BotVersion[];
  /** Names of the secrets that are set for the newest version's platform. */
  readonly secrets: readonly string[];
  readonly missing: readonly string[];
}

export interface HouseBot extends About {
  readonly can_be_tried: boolean;
}

export interface BotList {
  readonly bots: readonly Bot[];
  readonly kinds: readonly {
    readonly name: string;
    readonly secrets: readonly string[];
    readonly base_url: string;
  }[];
  readonly house: HouseBot;
  readonly gone: readonly { readonly id: string; readonly uses: readonly BotUse[] }[];
  readonly first: string;
}

export interface BotChange {
  readonly kind: string;
  readonly name: string;
  readonly note: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly policy: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, string>>;
}

export interface BotTried {
  readonly is_ok: boolean;
  readonly code: string;
  readonly detail: string;
  readonly text: string;
  readonly citations: readonly string[];
  readonly confidence: number | null;
  readonly partial: boolean;
  readonly actions: readonly string[];
  readonly first_ms: number;
  readonly took_ms: number;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly cost: number;
  readonly currency: string;
}

/** One line of an answer that is being written. */
export interface BotTold {
  readonly delta?: string;
  readonly retracted?: boolean;
  readonly working?: string;
  readonly done?: BotTried;
}

/** The server gives a bot 60 s. */
const TRY_MS = 75_000;

const at = (bot: string, what = ''): string => `/bots/${encodeURIComponent(bot)}${what}`;

export async function listBots(signal?: AbortSignal): Promise<BotList> {
  return request('GET', '/bots', signal ? { signal } : {});
}

export async function saveBot(bot: string, change: BotChange): Promise<Bot> {
  return request('PUT', at(bot), { body: change });
}

/** Ask the platform how it is. `version` 0 is the newest. */
export async function checkBot(
  bot: string,
  version: number,
  signal?: AbortSignal,
): Promise<BotTried> {
  const options = { body: { version }, deadlineMs: TRY_MS };
  return request('POST', at(bot, '/test'), signal ? { ...options, signal } : options);
}

export async function publishBot(bot: string): Promise<Bot> {
  return request('POST', at(bot, '/publish'));
}

export async function rollBackBot(bot: string, version: number): Promise<Bot> {
  return request('POST', at(bot, '/rollback'), { body: { version } });
}

export async function removeBot(bot: string): Promise<void> {
  return request('DELETE', at(bot));
}

/** This one answers where a flow names nobody. */
export async function answerFirst(bot: string): Promise<void> {
  return request('POST', at(bot, '/first'));
}

/** Ask a bot something and hear the answer as it comes; the last piece has `done`. */
export async function askBot(
  bot: string,
  question: { readonly text: string; readonly version: number; readonly locale: string },
  hear: (piece: BotTold) => void,
  signal: AbortSignal,
): Promise<BotTried> {
  let done: BotTried | undefined;
  const options = { body: question, signal, deadlineMs: TRY_MS };
  await readLines<BotTold>('POST', at(bot, '/ask'), options, (piece) => {
    done = piece.done ?? done;
    hear(piece);
  });
  if (done === undefined) throw new ApiError({ code: 'offline', text: '', temporary: true });
  return done;
}
