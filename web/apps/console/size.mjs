/**
 * The weight of the console's first view. Owns the budget and how it is counted.
 * Counted: index.html's script and everything it imports statically, plus the sign-in and inbox chunks that the
 * first screen opens, JS and CSS together, gzip. Its one rule: over the budget the build fails.
 */
import { gzipSync } from 'node:zlib';

export const BUDGET_BYTES = 350 * 1024;

/** Entry modules which, with all their static imports, make up the first view. */
export const FIRST_VIEW = ['index.html', 'src/inbox/inbox.tsx'];

/**
 * The files of the first view.
 * @param {Record<string, {file: string, imports?: string[], css?: string[]}>} manifest
 * @returns {Set<string>}
 */
export function firstViewFiles(manifest) {
  const files = new Set();
  const seen = new Set();
  const visit = (key) => {
    const chunk = manifest[key];
    if (chunk === undefined || seen.has(key)) return;
    seen.add(key);
    files.add(chunk.file);
    for (const css of chunk.css ?? []) files.add(css);
    for (const next of chunk.imports ?? []) visit(next);
  };
  for (const entry of FIRST_VIEW) visit(entry);
  return files;
}

/** A Vite plugin that measures the written bundle and refuses one above the budget. */
export function firstViewBudget() {
  return {
    name: 'qingniao:first-view-budget',
    apply: 'build',
    enforce: 'post',
    writeBundle(_options, bundle) {
      const manifest = Object.values(bundle).find((file) =>
        file.fileName.endsWith('manifest.json'),
      );
      if (manifest === undefined)
        this.error('no manifest was written: the first view cannot be measured');
      let total = 0;
      for (const name of firstViewFiles(JSON.parse(String(manifest.source)))) {
        const file = bundle[name];
        if (file === undefined) continue;
        const bytes = gzipSync(file.type === 'chunk' ? file.code : file.source, {
          level: 9,
        }).length;
        total += bytes;
        this.info(`${(bytes / 1024).toFixed(1).padStart(7)} KB  ${name}`);
      }
      const sentence = `first view: ${(total / 1024).toFixed(1)} KB gzip of ${BUDGET_BYTES / 1024} KB`;
      if (total > BUDGET_BYTES) this.error(`${sentence}: too heavy`);
      this.info(sentence);
    },
  };
}
