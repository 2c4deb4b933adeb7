/**
 * One way to the server's HTTP interface. Owns the header that proves intent, the deadline and the shape of errors;
 * knows no resource. Its one rule: every failure leaves here as an ApiError.
 */

const ROOT = '/api/v1';
const DEADLINE_MS = 15_000;
const UPLOAD_DEADLINE_MS = 120_000;

/** A request that failed, whatever the reason. */
export class ApiError extends Error {
  /** A program's name of the fault: the server's `code`, or `offline`, `timeout`, `unreadable`. */
  readonly code: string;
  readonly status: number;
  readonly temporary: boolean;
  /** The input at fault, when one is. */
  readonly field: string | undefined;
  /** Seconds after which trying again makes sense; 0 when the server named none. */
  readonly retryAfterS: number;

  constructor(fault: {
    code: string;
    text: string;
    status?: number;
    temporary?: boolean;
    field?: string | undefined;
    retryAfterS?: number;
  }) {
    super(fault.text);
    this.name = 'ApiError';
    this.code = fault.code;
    this.status = fault.status ?? 0;
    this.temporary = fault.temporary ?? false;
    this.field = fault.field;
    this.retryAfterS = fault.retryAfterS ?? 0;
  }
}

type Listener = (error: ApiError) => void;
const listeners = new Set<Listener>();

/** Hear of every failed request, to notice a session that has ended. Returns the way to stop. */
export function onApiError(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Options {
  readonly body?: unknown;
  readonly form?: FormData;
  readonly signal?: AbortSignal;
  /** How long the whole answer may take; otherwise 15 s, and 2 minutes for an upload. */
  readonly deadlineMs?: number;
}

/** Call the server. `T` is what the contract promises; 204 gives `undefined`. */
export async function request<T>(method: Method, path: string, options: Options = {}): Promise<T> {
  return told(() => attempt<T>(method, path, options));
}

/** Call the server and read its answer line by line, each one JSON; ends when the server does. */
export async function readLines<T>(
  method: Method,
  path: string,
  options: Options,
  hear: (line: T) => void,
): Promise<void> {
  return told(async () => {
    const { response, translated } = await fetched(method, path, options);
    if (!response.ok) throw refusal(response, await response.text());
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    try {
      for (;;) {
        const piece = await reader?.read();
        if (piece === undefined || piece.done) break;
        const lines = (rest + piece.value).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) if (line !== '') hear(JSON.parse(line) as T);
      }
    } catch (cause) {
      throw translated(cause);
    }
  });
}

async function told<T>(attempted: () => Promise<T>): Promise<T> {
  try {
    return await attempted();
  } catch (cause) {
    if (cause instanceof ApiError) for (const listener of listeners) listener(cause);
    throw cause;
  }
}

/** The head of an answer, and how a failure to read its body is to be called. */
async function fetched(
  method: Method,
  path: string,
  { body, form, signal, deadlineMs }: Options,
): Promise<{ response: Response; translated: (cause: unknown) => unknown }> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (method !== 'GET') headers['X-Qingniao'] = '1';
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const patience = deadlineMs ?? (form === undefined ? DEADLINE_MS : UPLOAD_DEADLINE_MS);
  const deadline = AbortSignal.timeout(patience);
  const init: RequestInit = {
    method,
    headers,
    credentials: 'same-origin',
    signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
  };
  if (form !== undefined) init.body = form;
  else if (body !== undefined) init.body = JSON.stringify(body);

  const translated = (cause: unknown): unknown => {
    // Our own caller gave up: that is not a fault and must not be shown as one.
    if (signal?.aborted === true) return cause;
    const code = deadline.aborted ? 'timeout' : 'offline';
    return new ApiError({ code, text: String(cause), temporary: true });
  };
  try {
    return { response: await fetch(ROOT + path, init), translated };
  } catch (cause) {
    throw translated(cause);
  }
}

async function attempt<T>(method: Method, path: string, options: Options): Promise<T> {
  const { response } = await fetched(method, path, options);
  if (response.status === 204) return undefined as T;
  const text = await response.text();
  if (!response.ok) throw refusal(response, text);
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new ApiError({
      code: 'unreadable',
      text: 'The answer is not JSON.',
      status: response.status,
    });
  }
}

function refusal(response: Response, text: string): ApiError {
  const fault = {
    status: response.status,
    retryAfterS: Number(response.headers.get('Retry-After') ?? 0) || 0,
  };
  const said = errorOf(text);
  if (said === undefined) {
    return new ApiError({
      ...fault,
      code: `http_${response.status}`,
      text: '',
      temporary: response.status >= 500,
    });
  }
  return new ApiError({ ...fault, ...said });
}

interface SaidError {
  code: string;
  text: string;
  temporary: boolean;
  field: string | undefined;
}

function errorOf(text: string): SaidError | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null || !('error' in parsed)) return undefined;
  const { error } = parsed;
  if (typeof error !== 'object' || error === null) return undefined;
  const said = error as Partial<Record<'code' | 'text' | 'temporary' | 'field', unknown>>;
  return {
    code: typeof said.code === 'string' ? said.code : 'unknown',
    text: typeof said.text === 'string' ? said.text : '',
    temporary: said.temporary === true,
    field: typeof said.field === 'string' ? said.field : undefined,
  };
}
