/**
 * Builds what the server serves: the panel with a hash in its name, the loader that knows that
 * name, and the demo shop. Rule: a build that is too heavy is a build that failed.
 */

import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { Close, Code } from '../../packages/protocol/src/codes.ts';
import { EntryType, Kind } from '../../packages/protocol/src/frames.ts';
import { measure } from '../../size.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const web = fileURLToPath(new URL('../../../src/qingniao/web/', import.meta.url));
const out = `${web}widget`;
/** The wire's named numbers as numbers: a table that nobody looks up weighs a third of a kilobyte. */
const inlineNumbers = {
  name: 'inline-numbers',
  enforce: 'post',
  transform: (code) =>
    code.replace(/\b(Kind|EntryType|Close|Code)\.([A-Z_]+)\b/g, (whole, table, word) =>
      String({ Kind, EntryType, Close, Code }[table][word] ?? whole),
    ),
};

/** What is wrong with a frame is for tests and developers: here every fault ends the connection. */
const silentFaults = {
  name: 'silent-faults',
  enforce: 'post',
  transform: (code) => code.replace(/new MalformedError\(("|'|`).*?\1\)/g, 'new MalformedError()'),
};

/** Tokens that this panel does not use, and the console's own switch between light and dark. */
const trimTokens = {
  name: 'trim-tokens',
  enforce: 'pre',
  transform: (code, id) => {
    if (!id.includes('tokens.css')) return null;
    const parts = readdirSync(`${here}src/panel`).map((part) => `${here}src/panel/${part}`);
    const used = new Set(parts.flatMap((part) => readFileSync(part, 'utf8').match(/--qn-[\w-]+/g)));
    return code
      .replace(/\/\*[\s\S]*?\*\//g, '')
      .replace(/:root\[data-theme="dark"\] \{[^}]*\}/, '')
      .replace(/:root[^,{]*,\s*/g, '')
      .replace(/color-scheme:[^;]*;/, '')
      .replace(/(--qn-[\w-]+):[^;]*;/g, (line, token) => (used.has(token) ? line : ''));
  },
};

/** Tokens by short names: inside of the shadow root nobody else reads them. */
const named = new Map();
const shortTokens = {
  name: 'short-tokens',
  renderChunk: (code) =>
    code.replace(/--(qn-[\w-]+|accent|deep|tint)\b/g, (token) => {
      if (!named.has(token)) named.set(token, `--${named.size.toString(36)}`);
      return named.get(token);
    }),
};

const common = {
  root: here,
  configFile: false,
  logLevel: 'warn',
  plugins: [inlineNumbers, silentFaults, trimTokens, shortTokens],
  oxc: { jsx: { runtime: 'classic', pragma: 'h' } },
};

/** One module with a hash in its name; answers that name. */
async function part(entry, name) {
  const { output } = await build({
    ...common,
    build: {
      outDir: out,
      emptyOutDir: false,
      target: 'es2022',
      modulePreload: false,
      rollupOptions: {
        input: `${here}src/${entry}`,
        preserveEntrySignatures: 'strict',
        output: { format: 'es', entryFileNames: `${name}-[hash].js`, codeSplitting: false },
      },
    },
  });
  return output[0].fileName;
}

for (const old of [out, `${web}widget.js`]) rmSync(old, { recursive: true, force: true });
const panel = await part('panel.tsx', 'panel');
const copies = { 'zh-CN': await part('copy/zh.ts', 'zh'), en: await part('copy/en.ts', 'en') };
await build({
  ...common,
  define: { PANEL_FILE: JSON.stringify(panel), COPY_FILES: JSON.stringify(copies) },
  build: {
    // Beside the folder of its parts: customers paste `/widget.js`.
    outDir: web,
    emptyOutDir: false,
    target: 'es2022',
    lib: {
      entry: `${here}src/loader.ts`,
      name: 'qingniaoLoader',
      formats: ['iife'],
      fileName: () => 'widget.js',
    },
  },
});
await build({
  ...common,
  root: `${here}demo`,
  base: '/demo/',
  build: {
    outDir: `${web}demo`,
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: false,
    rollupOptions: { input: [`${here}demo/index.html`, `${here}demo/en.html`] },
  },
});

if (!measure()) process.exitCode = 1;
