/** What the stories in real browsers share: pages of people, and reading what a person could read. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { env, stderr } from 'node:process';
import { createInterface } from 'node:readline';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
export const PYTHON = new URL('../../.venv/bin/python', import.meta.url).pathname;
export const NEW_PASSWORD = 'qing-cao-di-88-hao';
export const log = (said) => stderr.write(`story: ${said}\n`);

/** Whoever takes part: `open(name)` is a page of theirs alone; `faults` is what any page threw. */
export function people(browser) {
  const pages = new Map();
  const faults = [];
  async function open(name) {
    const context = await browser.newContext({
      viewport: { width: 1440, height: 900 },
      locale: 'zh-CN',
      reducedMotion: 'reduce',
    });
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    pages.set(name, page);
    page.on('pageerror', (error) => faults.push(`${name}: ${error.message}`));
    return page;
  }
  return { open, pages, faults };
}

/** How often a text can be read within a part of the page. */
export async function times(part, text) {
  // biome-ignore lint/performance/useDomNodeTextContent: hidden text must not count
  return (await part.innerText()).split(text).length - 1;
}

/** Waits until a text can be read there; hidden text does not count. */
export async function reads(part, text, within = 20_000) {
  const until = Date.now() + within;
  // biome-ignore lint/performance/useDomNodeTextContent: hidden text must not count
  while (!(await part.innerText().catch(() => '')).includes(text)) {
    if (Date.now() > until) throw new Error(`nobody can read ${text}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A free port that stays ours across restarts. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts `python …` and resolves with the first line that `isReady` accepts, all before it included. */
export async function started(args, isReady, settings = {}) {
  const child = spawn(PYTHON, args, {
    env: { ...env, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stderr.pipe(stderr);
  const lines = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (isReady(line)) return { child, lines };
  }
  throw new Error(`${args.join(' ')} stopped before it was ready`);
}

/** Starts the server on `data`; resolves when it says `ready`, with the one-time password of a new house. */
export async function serve(data, port, settings = {}) {
  const { child, lines } = await started(
    ['-m', 'qingniao', 'serve'],
    (line) => line.startsWith('ready'),
    { QINGNIAO_DATA: data, QINGNIAO_PORT: String(port), ...settings },
  );
  const password = /one-time password: (\S+)/.exec(lines.join('\n'))?.[1] ?? '';
  return { child, password };
}

export async function accessible(page, what) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() =>
    window.axe.run(document, { rules: { region: { enabled: false } } }),
  );
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 160)}`);
  assert.deepEqual(found, [], `${what} has accessibility faults`);
}

/** One picture per width; the page is put back to the width of a desktop. */
export async function picture(page, folder, name) {
  for (const [width, height] of [
    [390, 844],
    [1440, 900],
  ]) {
    await page.setViewportSize({ width, height });
    await page.waitForTimeout(350); // transitions of at most 200 ms
    await page.screenshot({ path: join(folder, `${name}-${width}.png`) });
  }
}
