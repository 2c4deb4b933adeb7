/** What the stories in real browsers share: pages of people, and reading what a person could read. */

import { stderr } from 'node:process';

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
