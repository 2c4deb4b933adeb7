/** A customer's colour, made legible. Rule: white text on it meets WCAG AA, whatever they chose. */

const AA = 4.5;

/** `#rrggbb`, darkened until white is readable on it; `null` if it is no colour. */
export function legible(colour: string): string | null {
  if (!/^#[\da-f]{6}$/i.test(colour)) return null;
  let rgb = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  while (contrastWithWhite(rgb) < AA) rgb = rgb.map((part) => Math.floor(part * 0.96));
  return toHex(rgb);
}

const toHex = (rgb: readonly number[]): string =>
  `#${rgb.map((part) => Math.round(part).toString(16).padStart(2, '0')).join('')}`;

function contrastWithWhite(rgb: readonly number[]): number {
  const [red = 0, green = 0, blue = 0] = rgb.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05);
}
