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
  /** The agent it went to: name and number, empty and 0 when it went to none. */
  readonly agent: string;
  readonly agentId: number;
  /** The team that was asked for; empty: anybody. */
  readonly team: string;
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
  const { agent, team } = body;
  return {
    from: text(body.from),
    to,
    why: text(body.why),
    by: text(body.by),
    agent: isMap(agent) ? text(agent.name) : '',
    agentId: (isMap(agent) ? number(agent.id) : null) ?? 0,
    team: isMap(team) ? text(team.name) : '',
  };
}

/** `isOfAnswer`: of a single answer, not of the service; a score of 0 then takes an earlier one back. */
export function ratingOf(
  body: Body,
): { score: number; comment: string; isOfAnswer: boolean } | null {
  if (!isMap(body)) return null;
  const score = number(body.score);
  const isOfAnswer = number(body.of) !== null;
  return score === null ? null : { score, comment: text(body.comment), isOfAnswer };
}

/** Text of an entry whose body is a string or a map with `text`. */
export function plainOf(body: Body): string {
  if (typeof body === 'string') return body;
  return isMap(body) ? text(body.text) : '';
}

/** One node that a message went through, and what it decided. */
export interface Stage {
  readonly kind: string;
  /** The way out it took; empty where there is only one. */
  readonly port: string;
  readonly ms: number | null;
  readonly facts: readonly (readonly [name: string, value: string])[];
}

/** At most this many facts of a stage, and stages of a step, are worth a place on the screen. */
const MOST = 16;
const NOT_FACTS = ['node', 'kind', 'port', 'ms'];

/** What the flow did with one message; a step without a trace is one stage with everything it says. */
export function stagesOf(body: Body): readonly Stage[] {
  if (!isMap(body)) return [];
  const trace = list(body.trace).filter(isMap);
  if (trace.length === 0) return [stageOf(body)];
  return trace.slice(0, MOST).map(stageOf);
}

function stageOf(map: JsonMap): Stage {
  const facts = Object.entries(map)
    .filter(([name]) => !NOT_FACTS.includes(name))
    .map(([name, value]) => [name, written(value)] as const)
    .filter(([, value]) => value !== '')
    .slice(0, MOST);
  const kind = text(map.kind) || text(map.node);
  return { kind, port: text(map.port), ms: number(map.ms), facts };
}

function written(value: Json): string {
  if (value === null) return '';
  if (typeof value === 'number' && !Number.isInteger(value)) return value.toFixed(2);
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) {
    return value
      .map((one) => written(one as Json))
      .filter(Boolean)
      .join('、');
  }
  return Object.entries(value)
    .map(([name, inner]) => `${name}: ${written(inner)}`)
    .join(' · ');
}
