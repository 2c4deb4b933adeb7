import 'i18next';
import type flows from '../flows/words/zh-CN.json';
import type words from './zh-CN.json';

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'translation';
    resources: { translation: typeof words; flows: typeof flows };
  }
}
