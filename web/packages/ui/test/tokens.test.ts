import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { dark, light, type Palette } from '../src/tokens.ts';

const css = readFileSync(fileURLToPath(new URL('../src/tokens.css', import.meta.url)), 'utf8');
const [first = '', byDevice = '', byChoice = ''] = css.split(/\n@media[^{]*\{|\n:root\[/);

const kebab = (name: string) => name.replace(/[A-Z]|\d/g, (part) => `-${part.toLowerCase()}`);
const colours = (block: string) =>
  Object.fromEntries(
    [...block.matchAll(/--qn-([\w-]+): (#\w+);/g)].map(([, name, value]) => [name, value]),
  );
const named = (palette: Palette) =>
  Object.entries(palette).map(([name, value]) => [kebab(name), value] as const);

describe('the tokens', () => {
  it('are the same in CSS and in TypeScript', () => {
    for (const [name, value] of named(light))
      expect([name, colours(first)[name]]).toEqual([name, value]);
    const night = { ...colours(first), ...colours(byDevice) };
    for (const [name, value] of named(dark)) expect([name, night[name]]).toEqual([name, value]);
  });

  it('are dark in the same way by device and by choice', () => {
    expect(colours(byChoice)).toEqual(colours(byDevice));
  });

  it.each([
    ['light', light],
    ['dark', dark],
  ])('meet WCAG AA for text, %s', (_name, palette) => {
    const pairs = [
      [palette.ink, palette.surface],
      [palette.ink2, palette.surface],
      [palette.ink3, palette.surface],
      [palette.ink3, palette.ground],
      [palette.brandText, palette.brandTint],
      [palette.amberText, palette.amberTint],
      [palette.redText, palette.redTint],
      [palette.blueText, palette.blueTint],
      [palette.violetText, palette.violetTint],
      ['#fff', palette.brandSolid],
    ] as const;
    for (const [text, ground] of pairs) {
      expect([text, ground, contrast(text, ground) >= 4.5]).toEqual([text, ground, true]);
    }
  });
});

function contrast(one: string, other: string): number {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: string): number {
  const full = colour.length === 4 ? colour.replace(/[^#]/g, '$&$&') : colour;
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(full.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
