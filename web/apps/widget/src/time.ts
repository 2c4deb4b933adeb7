/** When something was said, in words of the reader's language. */

import type { Copy, Locale } from './contract.ts';

const DAY_MS = 864e5;

export function timeText(time: number, now: number, locale: Locale, copy: Copy): string {
  const clock = new Intl.DateTimeFormat(locale, {
    hour: '2-digit',
    minute: '2-digit',
    hour12: false,
  });
  const text = clock.format(time);
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  if (time >= midnight) return text;
  if (time >= midnight - DAY_MS) return `${copy.yesterday} ${text}`;
  const date = new Intl.DateTimeFormat(locale, {
    month: 'short',
    day: 'numeric',
    ...(new Date(time).getFullYear() !== new Date(now).getFullYear() && { year: 'numeric' }),
  });
  return `${date.format(time)} ${text}`;
}
