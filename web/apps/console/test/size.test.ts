import { expect, test } from 'vitest';
import { firstViewFiles } from '../size.ts';

test('the first view is the entry, its static imports, their styles and the words', () => {
  const chunk = (more: object) => ({ type: 'chunk', isEntry: false, imports: [], ...more });
  const files = firstViewFiles({
    'index.js': chunk({
      isEntry: true,
      imports: ['react.js', 'app.js'],
      viteMetadata: { importedCss: new Set(['i.css']) },
    }),
    'react.js': chunk({}),
    'app.js': chunk({ imports: ['react.js'], dynamicImports: ['team.js'] }),
    'team.js': chunk({ viteMetadata: { importedCss: new Set(['team.css']) } }),
    'zh.js': chunk({ facadeModuleId: '/src/i18n/zh-CN.json' }),
    'i.css': { type: 'asset' },
  });
  expect([...files].sort()).toEqual(['app.js', 'i.css', 'index.js', 'react.js', 'zh.js']);
});
