/**
 * What is inside of an entry, made safe to show. Owns the shapes of bodies; a body of an unexpected shape gives null
 * or less, never a fault: an older console meets a newer server.
 */
import type { Body, Json, JsonMap, Status } from '@qingniao/protocol/frames';

export interface FileBody {
  readonly id: string;
  readonly name: string;
  readonly size: number;
  readonly mime: string;
  readonly w: number | null;
  readonly h: number | null;
}

export interface Cite {
  readonly id: string;
  readonly title: string;
  readonly quote: string;
}

export interface AnswerBody {
  readonly text: string;
  readonly cites: readonly Cite[];
  readonly options: readonly string[];
  /** 0 to 1. */
  readonly confidence: number | null;
  readonly bot: string;
  readonly tookMs: number | null;
  readonly isPartial: boolean;
}

export interface StatusBody {
  readonly from: string;
  readonly to: Status;
  readonly why: string;
  readonly by: string;
  readonly agent: string;
}

const isMap = (value: Json | undefined): value is JsonMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: Json | undefined): string => {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? String(value) : '';
};
const number = (value: Json | undefined): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null;
const list = (value: Json | undefined): readonly Json[] =>
  Array.isArray(value) ? (value as readonly Json[]) : [];

export function fileOf(body: Body): FileBody | null {
  if (!isMap(body) || typeof body.id !== 'string') return null;
  return {
    id: body.id,
    name: text(body.name) || body.id,
    size: number(body.size) ?? 0,
    mime: text(body.mime),
    w: number(body.w),
    h: number(body.h),
  };
}

export const fileUrl = (file: { id: string }): string => `/files/${encodeURIComponent(file.id)}`;

/** Only these are shown in the page; the server sends everything else as a download. */
export const isImage = (file: { mime: string }): boolean =>
  /^image\/(png|jpeg|gif|webp|avif)$/.test(file.mime);

export function answerOf(body: Body): AnswerBody | null {
  if (!isMap(body)) return null;
  return {
    text: text(body.text),
    cites: list(body.cites)
      .filter(isMap)
      .map((cite) => ({
        id: text(cite.id),
        title: text(cite.title) || text(cite.id),
        quote: text(cite.quote),
      })),
    options: list(body.options).filter((option) => typeof option === 'string'),
    confidence: number(body.confidence),
    bot: text(body.bot),
    tookMs: number(body.took_ms),
    isPartial: body.partial === true,
  };
}

const STATUSES: readonly Status[] = ['bot', 'waiting', 'open', 'closed'];

export function statusOf(body: Body): StatusBody | null {
  if (!isMap(body)) return null;
  const to = STATUSES.find((status) => status === body.to);
  if (to === undefined) return null;
  const agent = body.agent;
  return {
    from: text(body.from),
    to,
    why: text(body.why),
    by: text(body.by),
    agent: isMap(agent) ? text(agent.name) : '',
  };
}

export function ratingOf(body: Body): { score: number; comment: string } | null {
  if (!isMap(body)) return null;
  const score = number(body.score);
  return score === null ? null : { score, comment: text(body.comment) };
}

/** Text of an entry whose body is a string or a map with `text`. */
export function plainOf(body: Body): string {
  if (typeof body === 'string') return body;
  return isMap(body) ? text(body.text) : '';
}

/** What the flow did, as name and value, nested values written out; at most twelve. */
export function stepOf(body: Body): readonly (readonly [name: string, value: string])[] {
  if (!isMap(body)) return [];
  return Object.entries(body)
    .map(([name, value]) => [name, written(value)] as const)
    .filter(([, value]) => value !== '')
    .slice(0, 12);
}

function written(value: Json): string {
  if (value === null) return '';
  if (typeof value === 'number' && !Number.isInteger(value)) return value.toFixed(2);
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value))
    return value
      .map((one) => written(one as Json))
      .filter(Boolean)
      .join('、');
  return Object.entries(value)
    .map(([name, inner]) => `${name}: ${written(inner)}`)
    .join(' · ');
}

/** One line that says most about a step: its reason, else its first values. */
export function stepLine(body: Body): string {
  const pairs = stepOf(body);
  for (const wanted of ['why', 'text', 'because', 'reason']) {
    const found = pairs.find(([name]) => name === wanted);
    if (found !== undefined) return found[1];
  }
  return pairs
    .slice(0, 3)
    .map(([name, value]) => `${name} ${value}`)
    .join(' · ');
}
