import { defineConfig } from 'vitest/config';

export default defineConfig({
  // What a component draws is compared as it is drawn, without notes about its source.
  oxc: { jsx: { development: false } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'apps/*/test/**/*.test.{ts,tsx}'],
    testTimeout: 10_000,
  },
});
