/** The browser of everything that looks at built pages: stories, pictures, benches. */

import { env } from 'node:process';
import { chromium } from 'playwright-core';

/** Chromium (`CHROMIUM`, by default /usr/bin/chromium) without anything that talks to others. */
export function launch() {
  return chromium.launch({
    executablePath: env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
