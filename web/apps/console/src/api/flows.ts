/** Flows over HTTP, by hand from docs/reference/http.md. Owns shapes and calls, no behaviour. Times are milliseconds UTC. */
import { request } from './http.ts';

export type Texts = Readonly<Record<string, string>>;
export type Settings = Readonly<Record<string, unknown>>;

export interface FlowNode {
  readonly id: string;
  readonly kind: string;
  readonly title?: Texts;
  readonly settings?: Settings;
  /** The place of its upper left corner, in pixels. */
  readonly x?: number;
  readonly y?: number;
}

export interface FlowEdge {
  readonly source: string;
  readonly port: string;
  readonly target: string;
}

export interface Graph {
  readonly format: number;
  readonly name?: Texts;
  /** Said when the flow itself fails, before a person is called. */
  readonly fallback: Texts;
  readonly nodes: readonly FlowNode[];
  readonly edges: readonly FlowEdge[];
}

export interface FlowVersion {
  readonly version: number;
  readonly status: 'draft' | 'published';
  readonly name: string;
  /** Of a draft also what tells it from other drafts. */
  readonly updated: number;
}

export interface FlowInfo {
  readonly id: string;
  readonly name: string;
  /** Newest first. */
  readonly versions: readonly FlowVersion[];
  readonly role: 'reception' | 'triggers' | 'called' | 'idle';
  /** Why the published version cannot be walked; empty: it can. */
  readonly why: string;
}

export interface FlowDrawing extends FlowVersion {
  readonly id: string;
  readonly graph: Graph;
}

export interface Problem {
  readonly code: string;
  readonly text: string;
  readonly mend?: string;
  /** None: it concerns the whole flow. */
  readonly node?: string;
  readonly args?: Readonly<Record<string, string | number>>;
  readonly level?: 'error' | 'warning';
}

export interface FlowSaved {
  readonly version: number;
  readonly updated: number;
  readonly problems: readonly Problem[];
}

export interface Schema {
  readonly [key: string]: unknown;
}

export interface FlowPort {
  readonly name: string;
  /** Something has to be drawn there. */
  readonly must: boolean;
  /** The visitor has written in between. */
  readonly waits: boolean;
}

export interface FlowKind {
  readonly kind: string;
  readonly about: string;
  readonly settings: Schema;
  readonly ports: readonly FlowPort[];
}

export interface FlowKinds {
  readonly format: number;
  readonly most_nodes: number;
  readonly kinds: readonly FlowKind[];
}

export interface Spoken {
  readonly role: 'visitor' | 'bot';
  readonly text: string;
}

export interface FlowAsked {
  readonly request: Readonly<Record<string, unknown>>;
  readonly answer: Readonly<Record<string, unknown>>;
  readonly took_ms: number;
}

export interface FlowStep {
  readonly node: string;
  readonly kind: string;
  readonly port: string;
  readonly note: Readonly<Record<string, unknown>>;
  readonly ms: number;
  readonly asked: readonly FlowAsked[];
  readonly says: readonly Readonly<Record<string, unknown>>[];
  readonly waits_s: number;
}

export interface FlowTried {
  readonly state: Readonly<Record<string, unknown>>;
  readonly steps: readonly FlowStep[];
  readonly says: readonly Readonly<Record<string, unknown>>[];
  /** A person was called, for this reason. */
  readonly why: string;
  /** The node that waits for the visitor; empty: the turn is over. */
  readonly waits_for: string;
}

export interface FlowTry {
  /** Empty: the time is up that the flow waits for. */
  readonly text: string;
  readonly graph: Graph;
  readonly state: Readonly<Record<string, unknown>>;
  readonly said: readonly Spoken[];
  readonly locale: string;
}

/** A bot may take its time; the server ends it before. */
const TRY_DEADLINE_MS = 90_000;

const at = (flow: string, rest = ''): string => `/flows/${encodeURIComponent(flow)}${rest}`;

export async function listFlows(signal?: AbortSignal): Promise<readonly FlowInfo[]> {
  const options = signal === undefined ? {} : { signal };
  return (await request<{ flows: readonly FlowInfo[] }>('GET', '/flows', options)).flows;
}

export async function listKinds(signal: AbortSignal): Promise<FlowKinds> {
  return request('GET', '/flows/kinds', { signal });
}

/** A version; 0: the draft, or what is published. */
export async function getFlow(
  flow: string,
  version: number,
  signal?: AbortSignal,
): Promise<FlowDrawing> {
  const query = version === 0 ? '' : `?version=${version}`;
  return request('GET', at(flow, query), signal === undefined ? {} : { signal });
}

/** `beganFrom`: `updated` of the draft that was changed, 0: there was none. */
export async function saveDraft(
  flow: string,
  graph: Graph,
  name: string,
  beganFrom: number,
): Promise<FlowSaved> {
  return request('PUT', at(flow), { body: { graph, name, began_from: beganFrom } });
}

export async function checkFlow(
  flow: string,
  signal?: AbortSignal,
): Promise<{ may_publish: boolean; problems: readonly Problem[] }> {
  return request('POST', at(flow, '/check'), signal === undefined ? {} : { signal });
}

export async function publishFlow(flow: string, beganFrom: number): Promise<FlowInfo> {
  return request('POST', at(flow, '/publish'), { body: { began_from: beganFrom } });
}

export async function rollBackFlow(flow: string, version: number): Promise<FlowInfo> {
  return request('POST', at(flow, '/rollback'), { body: { version } });
}

export async function dropDraft(flow: string): Promise<void> {
  await request<void>('DELETE', at(flow, '/draft'));
}

export async function removeFlow(flow: string): Promise<void> {
  await request<void>('DELETE', at(flow));
}

export async function tryFlow(
  flow: string,
  turn: FlowTry,
  signal: AbortSignal,
): Promise<FlowTried> {
  return request('POST', at(flow, '/try'), {
    body: turn,
    signal,
    deadlineMs: TRY_DEADLINE_MS,
  });
}

/** The address of a version as a file; 0: the draft, or what is published. */
export function exportAddress(flow: string, version: number): string {
  return `/api/v1${at(flow, '/export')}?version=${version}`;
}
