/**
 * How the console is built. Owns the output folder and the cut into chunks.
 * Its one rule: what the first view needs is in three long-lived files (react, antd, app), everything
 * else arrives when it is opened.
 */
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { firstViewBudget } from './size.ts';

const server = process.env.QINGNIAO_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  root: import.meta.dirname,
  base: '/console/',
  plugins: [react(), firstViewBudget()],
  build: {
    outDir: '../../../src/qingniao/web/console',
    emptyOutDir: true,
    target: 'es2022',
    // Data URIs would need `img-src data:` in the server's policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            {
              name: 'react',
              test: /node_modules[\\/](react|react-dom|scheduler)[\\/]/,
              priority: 3,
            },
            {
              name: 'data',
              test: /node_modules[\\/](@tanstack|i18next|react-i18next)[\\/]/,
              priority: 3,
            },
            // Our own parts that the first view needs; the back office and the visitor's panel come when opened.
            {
              name: 'app',
              test: /src[\\/](api|chat|format|inbox|live|notify|parts|router|shell|signin|theme)[\\/]/,
            },
            { name: 'app', test: /packages[\\/](client|protocol|ui)[\\/]src[\\/]/ },
          ],
        },
      },
    },
  },
  server: {
    port: 5173,
    strictPort: true,
    proxy: {
      '/api': server,
      '/files': server,
      '/ws': { target: server, ws: true },
    },
  },
});
