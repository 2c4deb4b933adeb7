// @vitest-environment happy-dom
/** What may pass is tried again without anybody pressing a button. */
import { act } from 'react';
import { createRoot } from 'react-dom/client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ApiError } from '../src/api/http.ts';
import { Fault } from '../src/parts/fault.tsx';

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function shown(fault: { temporary: boolean; retryAfterS?: number }) {
  const retry = vi.fn();
  const root = createRoot(document.createElement('div'));
  const error = new ApiError({ code: 'unreachable', text: 'Away.', status: 507, ...fault });
  act(() => root.render(<Fault error={error} retry={retry} />));
  return { retry, gone: () => act(() => root.unmount()) };
}

test('a fault that may pass is tried again within seconds, once for each fault', () => {
  const { retry } = shown({ temporary: true });
  vi.advanceTimersByTime(4_900);
  expect(retry).not.toHaveBeenCalled();
  vi.advanceTimersByTime(60_000);
  expect(retry).toHaveBeenCalledTimes(1);
});

test('what the server asks to wait is waited', () => {
  const { retry } = shown({ temporary: true, retryAfterS: 30 });
  vi.advanceTimersByTime(29_000);
  expect(retry).not.toHaveBeenCalled();
  vi.advanceTimersByTime(17_000);
  expect(retry).toHaveBeenCalledTimes(1);
});

test('a fault that stays is left to the person', () => {
  const { retry } = shown({ temporary: false });
  vi.advanceTimersByTime(120_000);
  expect(retry).not.toHaveBeenCalled();
});

test('who has left the page is not bothered', () => {
  const { retry, gone } = shown({ temporary: true });
  gone();
  vi.advanceTimersByTime(60_000);
  expect(retry).not.toHaveBeenCalled();
});
