/**
 * A chat widget that speaks HTTP, in a real Chromium: `fetch` from a page of another origin, with a
 * bearer token, one message after the other.
 *
 *     node post.mjs PAGE API COUNT TOKEN TEXT
 *
 * Prints `browser` with its version; sends the first message, which brings the preflight, and prints
 * `warm`; waits for a line; sends COUNT messages more and prints `done`. Needs Chromium (`CHROMIUM`,
 * by default /usr/bin/chromium) and what is installed in `web`.
 */

import { once } from 'node:events';
import { argv, stdin, stdout } from 'node:process';
import { launch } from '../../web/chromium.mjs';

const [page, api, count, token, text] = argv.slice(2);

/** Runs in the page. */
async function send({ api, token, text, from, count }) {
  for (let n = from; n < from + count; n++) {
    const response = await fetch(api, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({
        conversation: 1041,
        client_id: `0193f0c2-5f0e-7c4e-9d0a-${n.toString(16).padStart(12, '0')}`,
        type: 'text',
        text,
      }),
    });
    if (response.status !== 201) throw new Error(`the server said ${response.status}`);
    await response.json();
  }
}

const browser = await launch();
try {
  // Headless, it would say so in every request; a visitor's does not.
  const asked = await (await browser.newPage()).evaluate(() => navigator.userAgent);
  const context = await browser.newContext({
    locale: 'zh-CN',
    userAgent: asked.replace('Headless', ''),
  });
  const tab = await context.newPage();
  await tab.goto(page);
  stdout.write(`browser ${browser.version()}\n`);
  await tab.evaluate(send, { api, token, text, from: 0, count: 1 });
  stdout.write('warm\n');
  await once(stdin, 'data');
  await tab.evaluate(send, { api, token, text, from: 1, count: Number(count) });
  stdout.write('done\n');
} finally {
  await browser.close();
}
stdin.destroy();
