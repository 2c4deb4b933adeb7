/**
 * Looks at the console: every screen and state, at 390 and 1440 px, light and dark, in both languages, as pictures, with
 * axe run on each. `node look.mjs [--out folder] [name…]`: only scenes whose name contains one of the words.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { launch } from '../../chromium.mjs';
import { scenes } from './fake/scenes.mjs';
import { open } from './fake/stage.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string', default: 'dist/look' },
    axe: { type: 'boolean', default: true },
  },
});
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
mkdirSync(values.out, { recursive: true });

const wanted = scenes.filter(
  (scene) => positionals.length === 0 || positionals.some((word) => scene.name.includes(word)),
);
const browser = await launch();
let faults = 0;
for (const { name, act, ...options } of wanted) {
  const stage = await open(browser, options);
  const { page } = stage;
  try {
    await page.waitForLoadState('load');
    await page.waitForTimeout(500);
    await act?.(stage);
    await page.waitForTimeout(350);
    await page.screenshot({ path: `${values.out}/${name}.png` });
    const found = values.axe ? await violations(page) : [];
    for (const line of [...found, ...stage.problems]) {
      faults += 1;
      console.log(`${name}: ${line}`);
    }
  } catch (error) {
    faults += 1;
    console.log(`${name}: ${error}`);
    await page.screenshot({ path: `${values.out}/${name}.png` });
  }
  await stage.context.close();
}
await browser.close();
console.log(`${wanted.length} scenes, ${faults} faults`);
process.exitCode = faults > 0 ? 1 : 0;

async function violations(page) {
  await page.evaluate(axe);
  const result = await page.evaluate(() =>
    axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] }),
  );
  return result.violations.map(
    ({ id, nodes }) =>
      `axe ${id}: ${nodes
        .slice(0, 3)
        .map((node) => node.target.join(' '))
        .join(' | ')}`,
  );
}
