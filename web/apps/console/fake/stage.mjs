/**
 * The built console in Chromium, with the fake house behind it. Owns the interception of everything the
 * page asks for; nothing listens on a port.
 */
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { answer, createHouse } from './house.mjs';
import { serve } from './wire.mjs';

const BUILT = fileURLToPath(new URL('../../../../src/qingniao/web/console/', import.meta.url));
const ORIGIN = 'http://console.test';
const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};
const PICTURE = `<svg xmlns="http://www.w3.org/2000/svg" width="900" height="620"><rect width="900" height="620" fill="#d9c3a5"/><circle cx="450" cy="250" r="120" fill="#b58b5a"/><rect x="300" y="380" width="300" height="120" rx="16" fill="#f4ece0"/></svg>`;

async function file(path) {
  const name = path.replace(/^\/console\//, '');
  try {
    const body = await readFile(BUILT + (name === '' ? 'index.html' : name));
    return { body, contentType: TYPES[extname(name)] ?? 'text/html' };
  } catch {
    return { body: await readFile(`${BUILT}index.html`), contentType: 'text/html' };
  }
}

/**
 * Opens a page. `options`: those of `createHouse`, and width, height, dark, path, stall (API paths that never answer),
 * break (API paths that fail), offline (no socket).
 */
export async function open(browser, options = {}) {
  const house = createHouse(options);
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1440, height: options.height ?? 900 },
    reducedMotion: 'reduce',
    colorScheme: options.dark ? 'dark' : 'light',
    locale: options.locale ?? 'zh-CN',
    hasTouch: (options.width ?? 1440) < 720,
    deviceScaleFactor: options.scale ?? 1,
  });
  const page = await context.newPage();
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => {
    if (
      message.type() === 'error' &&
      !/status of (400|401|404|409|429|500)|ERR_/.test(message.text())
    )
      problems.push(message.text());
  });
  const stage = { page, context, house, problems, link: null };

  await page.route('**/*', async (route) => {
    const request = route.request();
    const url = new URL(request.url());
    if (url.pathname.startsWith('/files/')) {
      return route.fulfill({ body: PICTURE, contentType: 'image/svg+xml' });
    }
    if (!url.pathname.startsWith('/api/v1')) return route.fulfill(await file(url.pathname));
    const path = url.pathname.slice('/api/v1'.length);
    if (options.stall?.some((one) => path.startsWith(one))) return;
    if (options.break?.some((one) => path.startsWith(one))) {
      return route.fulfill({
        status: 500,
        json: { error: { code: 'internal', text: '', temporary: false } },
      });
    }
    const isJson = request.headers()['content-type']?.includes('json');
    const body = isJson ? request.postDataJSON() : {};
    const { status, json, lines, headers } = answer(
      house,
      request.method(),
      path,
      url.searchParams,
      body,
    );
    await route.fulfill({
      status,
      ...(json === undefined ? {} : { json }),
      ...(lines === undefined
        ? {}
        : { body: lines.map((one) => `${JSON.stringify(one)}\n`).join('') }),
      ...(headers === undefined ? {} : { headers }),
    });
  });
  await page.routeWebSocket('**/ws', (socket) => {
    if (options.offline) return socket.close({ code: 3000 });
    stage.link = serve(house, (bytes) => socket.send(bytes));
    stage.socket = socket;
    socket.onMessage((message) =>
      stage.link.receive(typeof message === 'string' ? message : new Uint8Array(message)),
    );
  });
  await page.goto(`${ORIGIN}/console/${options.path ?? ''}`);
  // Enough for the socket and the first answers; a signed-out or stalled page has neither.
  for (let i = 0; i < 20 && stage.link === null && house.user !== null; i += 1)
    await page.waitForTimeout(100);
  return stage;
}
