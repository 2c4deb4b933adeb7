/**
 * What a visitor downloads, in bytes after `gzip -9`. Owns the widget's budgets; prints a table
 * and says whether they are kept.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

/** The loader is paid for by every page view, the whole by every conversation. */
const LOADER_BYTES = 1_280;
const WHOLE_BYTES = 20_480;

const folder = fileURLToPath(new URL('../src/qingniao/web/', import.meta.url));

/** Prints a table; true when the budgets are kept. A visitor loads one language: the larger counts. */
export function measure() {
  const sizes = new Map(
    ['widget.js', ...readdirSync(`${folder}widget`).map((name) => `widget/${name}`)].map((name) => [
      name.replace('widget/', ''),
      gzipSync(readFileSync(folder + name), { level: 9 }).length,
    ]),
  );
  const of = (start) => [...sizes].find(([name]) => name.startsWith(start))?.[1] ?? Number.NaN;
  const whole = of('widget') + of('panel') + Math.max(of('zh'), of('en'));
  const rows = [...sizes, ['loader', of('widget'), LOADER_BYTES], ['opened', whole, WHOLE_BYTES]];
  for (const [name, size, budget] of rows) {
    const verdict = budget === undefined ? '' : `${size <= budget ? 'of' : 'OVER'} ${budget}`;
    console.log(`${name.padEnd(24)} ${String(size).padStart(7)} B gzip  ${verdict}`);
  }
  return of('widget') <= LOADER_BYTES && whole <= WHOLE_BYTES;
}

if (argv[1] === fileURLToPath(import.meta.url) && !measure()) process.exitCode = 1;
