/** Bytes as people say them. */

const UNITS = ['B', 'KB', 'MB', 'GB'] as const;

/** `0 B`, `812 B`, `1.2 MB`: one decimal below ten, none above. */
export function fileSize(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  // 999.5 and not 1000, so that rounding never shows "1000 KB".
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${UNITS[unit] ?? 'B'}`;
}
