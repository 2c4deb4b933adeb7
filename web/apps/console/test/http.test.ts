import { afterEach, expect, test, vi } from 'vitest';
import { ApiError, onApiError, readLines, request } from '../src/api/http.ts';

afterEach(() => void vi.unstubAllGlobals());

function answering(status: number, text: string | null, headers: Record<string, string> = {}) {
  const fetched = vi.fn(
    async (_url: string, _init: RequestInit) => new Response(text, { status, headers }),
  );
  vi.stubGlobal('fetch', fetched);
  return fetched;
}

const failing = async (): Promise<ApiError> => {
  const cause: unknown = await request('GET', '/x').catch((error: unknown) => error);
  if (!(cause instanceof ApiError)) throw new Error(`not an ApiError: ${String(cause)}`);
  return cause;
};

test('what changes something proves its intent, what reads does not need to', async () => {
  const fetched = answering(200, '{}');
  await request('POST', '/x', { body: {} });
  await request('GET', '/x');
  const sent = fetched.mock.calls.map(([, init]) => new Headers(init.headers).get('X-Qingniao'));
  expect(sent).toEqual(['1', null]);
});

test('a refusal carries its code, field and wait', async () => {
  answering(
    429,
    JSON.stringify({
      error: { code: 'too_many_tries', text: 't', temporary: true, field: 'password' },
    }),
    {
      'Retry-After': '42',
    },
  );
  expect(await failing()).toMatchObject({
    code: 'too_many_tries',
    status: 429,
    field: 'password',
    retryAfterS: 42,
  });
});

test.each([
  [502, '<html>', 'http_502', true],
  [404, '', 'http_404', false],
  [200, 'not json', 'unreadable', false],
  [500, '{"error": 5}', 'http_500', true],
])('%i with %s is %s', async (status, text, code, temporary) => {
  answering(status, text);
  expect(await failing()).toMatchObject({ code, temporary });
});

test('no network is an ApiError too, and everyone who asked hears of it', async () => {
  vi.stubGlobal('fetch', async () => Promise.reject(new TypeError('failed')));
  const heard = vi.fn();
  const stop = onApiError(heard);
  expect((await failing()).code).toBe('offline');
  stop();
  await failing();
  expect(heard).toHaveBeenCalledTimes(1);
});

test('204 is an answer', async () => {
  answering(204, null);
  expect(await request('DELETE', '/x')).toBeUndefined();
});

/** An answer that comes in pieces that fall as they may. */
function coming(...pieces: readonly string[]) {
  const bytes = pieces.map((piece) => new TextEncoder().encode(piece));
  const body = new ReadableStream({
    start(control) {
      for (const piece of bytes) control.enqueue(piece);
      control.close();
    },
  });
  vi.stubGlobal(
    'fetch',
    vi.fn(async () => new Response(body, { status: 200 })),
  );
}

test('an answer is heard line by line, wherever the network cuts it', async () => {
  coming('{"a": 1}\n{"a"', ': 2}\n', '\n{"a": 3}\n{"half');
  const heard: unknown[] = [];
  await readLines('POST', '/x', {}, (line) => heard.push(line));
  expect(heard).toEqual([{ a: 1 }, { a: 2 }, { a: 3 }]);
});

test('a refusal to answer line by line is an error like any other', async () => {
  answering(400, JSON.stringify({ error: { code: 'bad_input', text: 't', field: 'text' } }));
  const cause: unknown = await readLines('POST', '/x', {}, () => {}).catch((error) => error);
  expect(cause).toMatchObject({ code: 'bad_input', field: 'text' });
});

test('a line that cannot be read ends the answer with an error', async () => {
  coming('no json\n');
  const cause: unknown = await readLines('POST', '/x', {}, () => {}).catch((error) => error);
  expect(cause).toBeInstanceOf(ApiError);
});
