/**
 * The weight of the console's first view: sign-in, shell, list and chat. Owns the budget and how it is counted: the
 * entry with everything that it imports statically, its CSS and the larger of the two languages, each gzip -9.
 * Its one rule: over the budget the build fails.
 */
import { gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

export const BUDGET_BYTES = 350 * 1024;

/** Loaded before the first paint although not imported statically; the larger language stands for both. */
const ALSO = /i18n[\\/]zh-CN\.json$/;

/** What is read of the bundler's output. */
interface Written {
  readonly type: string;
  readonly isEntry?: boolean;
  readonly imports?: readonly string[];
  readonly facadeModuleId?: string | null;
  readonly viteMetadata?: { readonly importedCss: ReadonlySet<string> } | undefined;
}

/** The names of the files of the first view, from what the bundler wrote. */
export function firstViewFiles(bundle: Readonly<Record<string, Written>>): ReadonlySet<string> {
  const files = new Set<string>();
  const visit = (name: string): void => {
    const chunk = bundle[name];
    if (chunk === undefined || files.has(name)) return;
    files.add(name);
    for (const css of chunk.viteMetadata?.importedCss ?? []) files.add(css);
    for (const next of chunk.imports ?? []) visit(next);
  };
  for (const [name, chunk] of Object.entries(bundle)) {
    if (chunk.isEntry === true || ALSO.test(chunk.facadeModuleId ?? '')) visit(name);
  }
  return files;
}

/** A Vite plugin that weighs the written bundle and refuses one above the budget. */
export function firstViewBudget(): Plugin {
  return {
    name: 'qingniao:first-view',
    apply: 'build',
    enforce: 'post',
    writeBundle(_options, bundle) {
      let total = 0;
      for (const name of firstViewFiles(bundle)) {
        const file = bundle[name];
        if (file === undefined) continue;
        const bytes = gzipSync(file.type === 'chunk' ? file.code : file.source, {
          level: 9,
        }).length;
        total += bytes;
        this.info(`${(bytes / 1024).toFixed(1).padStart(7)} KB  ${name}`);
      }
      const sentence = `${(total / 1024).toFixed(1)} KB gzip of ${BUDGET_BYTES / 1024} KB`;
      if (total > BUDGET_BYTES) this.error(`${sentence}: too heavy`);
      this.info(sentence);
    },
  };
}
