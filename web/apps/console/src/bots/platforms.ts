/**
 * The platforms that a bot may live on, and what each is set up with. Owns which fields there are, in which order, what
 * is optional and what is folded away; the words are in the two languages. Its one rule: a field is called as in
 * docs/reference/http.md, so that what is entered here is what the server stores.
 */

export type PlatformName = 'dify' | 'fastgpt' | 'coze' | 'openai' | 'remote';
export type FieldKind = 'text' | 'url' | 'number' | 'switch' | 'choice' | 'long' | 'json';

export interface FieldSpec {
  readonly name: string;
  readonly kind: FieldKind;
  /** A secret goes in and never comes out. */
  readonly secret?: boolean;
  readonly required?: boolean;
  /** What the server takes when nothing is entered; shown in the empty field. */
  readonly standard?: string;
  readonly example?: string;
  readonly choices?: readonly string[];
  /** Written on the field as it is. */
  readonly unit?: 's' | 'tokens';
  /** Where it is not shown from the beginning. */
  readonly fold?: 'training' | 'prices' | 'more';
  /** A key of this platform begins so. */
  readonly prefix?: string;
  /** Shown only while another field has this value. */
  readonly when?: readonly [field: string, value: string];
}

export interface Platform {
  readonly name: PlatformName;
  /** Its sign: one or two characters on a coloured tile. */
  readonly sign: string;
  readonly guide: string;
  readonly fields: readonly FieldSpec[];
}

/** How a Coze bot proves itself: not a setting, but what decides which settings there are. */
export const PROOF = 'proof';

const waits = (idle: string): readonly FieldSpec[] => [
  { name: 'connect_s', kind: 'number', standard: '5', unit: 's', fold: 'more' },
  { name: 'idle_s', kind: 'number', standard: idle, unit: 's', fold: 'more' },
];

export const PLATFORMS: readonly Platform[] = [
  {
    name: 'dify',
    sign: 'D',
    guide: 'dify',
    fields: [
      { name: 'base_url', kind: 'url', standard: 'https://api.dify.ai/v1' },
      { name: 'key', kind: 'text', secret: true, required: true, prefix: 'app-' },
      { name: 'app', kind: 'choice', choices: ['chat', 'workflow'], standard: 'chat' },
      { name: 'question', kind: 'text', standard: 'query', when: ['app', 'workflow'] },
      { name: 'answer', kind: 'text', example: 'text', when: ['app', 'workflow'] },
      { name: 'workflow', kind: 'text', when: ['app', 'workflow'], fold: 'more' },
      { name: 'cites', kind: 'switch', standard: 'true', fold: 'more' },
      ...waits('30'),
    ],
  },
  {
    name: 'fastgpt',
    sign: 'F',
    guide: 'fastgpt',
    fields: [
      { name: 'base_url', kind: 'url', standard: 'https://api.fastgpt.in/api' },
      { name: 'key', kind: 'text', secret: true, required: true, prefix: 'fastgpt-' },
      { name: 'app', kind: 'text', example: '66a1b2c3d4e5f60718293a4b' },
      { name: 'dataset_key', kind: 'text', secret: true, fold: 'training' },
      { name: 'dataset', kind: 'text', fold: 'training' },
      { name: 'collection', kind: 'text', fold: 'training' },
      ...waits('90'),
    ],
  },
  {
    name: 'coze',
    sign: '扣',
    guide: 'coze',
    fields: [
      { name: 'base_url', kind: 'url', standard: 'https://api.coze.cn' },
      { name: 'bot', kind: 'text', required: true, example: '7380000000000000001' },
      { name: PROOF, kind: 'choice', choices: ['token', 'app'], standard: 'token' },
      {
        name: 'token',
        kind: 'text',
        secret: true,
        required: true,
        prefix: 'pat_',
        when: [PROOF, 'token'],
      },
      { name: 'app', kind: 'text', required: true, when: [PROOF, 'app'] },
      { name: 'key_id', kind: 'text', required: true, when: [PROOF, 'app'] },
      { name: 'private_key', kind: 'long', secret: true, required: true, when: [PROOF, 'app'] },
      { name: 'streams', kind: 'switch', standard: 'true', fold: 'more' },
      {
        name: 'poll_s',
        kind: 'number',
        standard: '1',
        unit: 's',
        when: ['streams', 'false'],
        fold: 'more',
      },
      ...waits('90'),
    ],
  },
  {
    name: 'openai',
    sign: 'O',
    guide: 'openai',
    fields: [
      { name: 'base_url', kind: 'url', standard: 'https://api.openai.com/v1' },
      { name: 'model', kind: 'text', required: true, example: 'qwen-plus' },
      { name: 'key', kind: 'text', secret: true },
      { name: 'prompt', kind: 'long' },
      { name: 'may_call_person', kind: 'switch', standard: 'false' },
      { name: 'sees_pictures', kind: 'switch', standard: 'false' },
      { name: 'prompt_price', kind: 'number', standard: '0', fold: 'prices' },
      { name: 'completion_price', kind: 'number', standard: '0', fold: 'prices' },
      { name: 'currency', kind: 'text', example: 'CNY', fold: 'prices' },
      { name: 'temperature', kind: 'number', fold: 'more' },
      { name: 'max_tokens', kind: 'number', unit: 'tokens', fold: 'more' },
      {
        name: 'max_tokens_name',
        kind: 'choice',
        choices: ['max_tokens', 'max_completion_tokens'],
        standard: 'max_tokens',
        fold: 'more',
      },
      { name: 'history', kind: 'number', standard: '12', fold: 'more' },
      { name: 'extra', kind: 'json', example: '{"top_p": 0.8}', fold: 'more' },
      ...waits('90'),
    ],
  },
  {
    name: 'remote',
    sign: '</>',
    guide: 'write-a-bot',
    fields: [
      { name: 'base_url', kind: 'url', required: true, example: 'https://bot.example.com' },
      { name: 'key', kind: 'text', secret: true },
      { name: 'cites', kind: 'switch', standard: 'false', fold: 'more' },
      { name: 'measures_confidence', kind: 'switch', standard: 'false', fold: 'more' },
      { name: 'remembers', kind: 'switch', standard: 'false', fold: 'more' },
      { name: 'reads_files', kind: 'switch', standard: 'false', fold: 'more' },
      { name: 'acts', kind: 'switch', standard: 'false', fold: 'more' },
      { name: 'takes_feedback', kind: 'switch', standard: 'false', fold: 'more' },
      { name: 'trains', kind: 'switch', standard: 'false', fold: 'more' },
      ...waits('60'),
    ],
  },
];

export function platformOf(kind: string): Platform | undefined {
  return PLATFORMS.find(({ name }) => name === kind);
}

/** How a bot may be used: `Policy` of the server, with its defaults. Zero switches a limit off. */
export interface PolicySpec {
  readonly name: string;
  readonly standard: number;
  readonly group: 'time' | 'failing' | 'load' | 'budget';
  readonly unit?: 's';
  readonly whole?: boolean;
}

export const POLICY: readonly PolicySpec[] = [
  { name: 'idle_s', standard: 60, group: 'time', unit: 's' },
  { name: 'total_s', standard: 180, group: 'time', unit: 's' },
  { name: 'tries', standard: 2, group: 'failing', whole: true },
  { name: 'failures', standard: 5, group: 'failing', whole: true },
  { name: 'open_s', standard: 30, group: 'failing', unit: 's' },
  { name: 'at_once', standard: 64, group: 'load', whole: true },
  { name: 'waiting', standard: 256, group: 'load', whole: true },
  { name: 'wait_s', standard: 10, group: 'load', unit: 's' },
  { name: 'per_minute', standard: 0, group: 'load' },
  { name: 'burst', standard: 20, group: 'load', whole: true },
  { name: 'day_tokens', standard: 0, group: 'budget', whole: true },
  { name: 'day_cost', standard: 0, group: 'budget' },
];
