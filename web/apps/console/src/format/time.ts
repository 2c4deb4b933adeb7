/**
 * Moments and spans as people say them, by locale. Pure: `now` always comes in. All arguments are milliseconds.
 */
import type { TFunction } from 'i18next';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function startOfDay(at: number): number {
  const day = new Date(at);
  day.setHours(0, 0, 0, 0);
  return day.getTime();
}

/** Whole calendar days between two moments; 0 on the same day. Rounded, for days are 23 or 25 hours long too. */
export function daysBetween(at: number, now: number): number {
  return Math.round((startOfDay(now) - startOfDay(at)) / DAY);
}

/** `14:03`, in 24 hours in every language: agents compare these times at a glance. */
export function clock(at: number): string {
  const date = new Date(at);
  return `${String(date.getHours()).padStart(2, '0')}:${String(date.getMinutes()).padStart(2, '0')}`;
}

/** For lists: 刚刚, 6 分钟, 14:03, 昨天, 10月12日, 2025/10/12. */
export function ago(at: number, now: number, t: TFunction, locale: string): string {
  const passed = now - at;
  // Clocks differ between machines: what lies a little in the future happened just now.
  if (passed < MINUTE) return t('time.now');
  if (passed < HOUR) return t('time.minutes', { count: Math.floor(passed / MINUTE) });
  const days = daysBetween(at, now);
  if (days === 0) return clock(at);
  if (days === 1) return t('time.yesterday');
  return date(at, now, locale);
}

/** `10月12日`, and with the year when it is another one. */
export function date(at: number, now: number, locale: string): string {
  const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  return new Intl.DateTimeFormat(
    locale,
    sameYear
      ? { month: 'short', day: 'numeric' }
      : { year: 'numeric', month: 'numeric', day: 'numeric' },
  ).format(at);
}

/** The line above the first message of a day: 今天, 昨天, 10月12日 星期一. */
export function dayLine(at: number, now: number, t: TFunction, locale: string): string {
  const days = daysBetween(at, now);
  if (days === 0) return t('time.today');
  if (days === 1) return t('time.yesterday');
  const weekday = new Intl.DateTimeFormat(locale, { weekday: 'long' }).format(at);
  return `${date(at, now, locale)} ${weekday}`;
}

/** A day and a time of day: `今天 14:03`. */
export function moment(at: number, now: number, t: TFunction, locale: string): string {
  const days = daysBetween(at, now);
  if (days === 0) return `${t('time.today')} ${clock(at)}`;
  if (days === 1) return `${t('time.yesterday')} ${clock(at)}`;
  return `${date(at, now, locale)} ${clock(at)}`;
}

/** A wait as a stopwatch shows it: `0:08`, `1:42`, `1:04:09`; from four hours on in words, for nobody counts those. */
export function stopwatch(span: number, t: TFunction): string {
  const seconds = Math.max(0, Math.floor(span / 1000));
  const hours = Math.floor(seconds / 3600);
  if (hours >= 48) return t('time.days', { count: Math.floor(hours / 24) });
  if (hours >= 4) return t('time.hours', { count: hours });
  const minutes = Math.floor(seconds / 60) % 60;
  const rest = String(seconds % 60).padStart(2, '0');
  if (hours === 0) return `${minutes}:${rest}`;
  return `${hours}:${String(minutes).padStart(2, '0')}:${rest}`;
}
