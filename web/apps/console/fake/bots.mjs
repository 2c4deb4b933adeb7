/** The fake house's bots, in every state that a page has to show. Owns data and the answers about it. */

const DAY = 86_400_000;
/** Written so because an object with a `then` would look like a promise. */
const THEN = 'then';
const SHOWN = 'http://192.168.7.20:8000/v1';

const figures = (more = {}) => ({
  answers: 0,
  failures: 0,
  first_p50_ms: 0,
  first_p95_ms: 0,
  took_ms: 0,
  tokens: 0,
  cost: {},
  ...more,
});

const version = (number, more = {}) => ({
  version: number,
  kind: 'openai',
  name: '售前顾问',
  status: 'published',
  settings: { base_url: SHOWN, model: 'qwen-plus' },
  policy: { [THEN]: ['local'] },
  note: '',
  updated: Date.now() - (20 - number) * DAY,
  ...more,
});

const bot = (id, versions, more = {}) => ({
  id,
  versions,
  secrets: ['key'],
  missing: [],
  figures: figures(),
  failure: null,
  uses: [],
  ...more,
});

const LONG =
  '负责华东与华南两个大区旗舰店、会员店和团购渠道全部售前咨询与尺码推荐的大模型客服顾问（灰度）';
const FIRST = { kind: 'first', title: { 'zh-CN': '机器人', en: 'Bot' }, of: '' };

export function createBots() {
  const now = Date.now();
  const many = Array.from({ length: 8 }, (_, i) =>
    version(8 - i, {
      note: i === 2 ? 'as version 3' : i === 4 ? '把退货期限写进提示词，不再承诺赔偿' : '',
      settings: { base_url: SHOWN, model: i > 3 ? 'qwen-turbo' : 'qwen-plus', history: 20 - i },
    }),
  );
  return {
    bots: [
      bot('advisor', many, {
        figures: figures({
          answers: 1284,
          failures: 3,
          first_p50_ms: 410,
          first_p95_ms: 2_300,
          took_ms: 3_900,
          tokens: 1_204_553,
          cost: { CNY: 8.21 },
        }),
        failure: {
          code: 'bot_timeout',
          detail: '192.168.7.20 stayed silent for too long.',
          time: now - 9 * 60_000,
        },
        uses: [FIRST],
      }),
      bot(
        'long',
        [
          version(2, { kind: 'dify', name: LONG, status: 'draft', settings: { app: 'workflow' } }),
          version(1, { kind: 'dify', name: LONG, settings: {} }),
        ],
        {
          figures: figures({
            answers: 96,
            first_p50_ms: 4_100,
            first_p95_ms: 12_400,
            took_ms: 14_000,
            cost: { USD: 0.61, CNY: 1.2 },
          }),
          uses: [{ kind: 'then', title: {}, of: 'advisor' }],
        },
      ),
      bot('router', [
        version(5, { kind: 'coze', name: '分流员', settings: { bot: '7380000000000000001' } }),
      ]),
      bot('fresh', [version(1, { kind: 'fastgpt', name: '售后助手 B', status: 'draft' })]),
    ],
    kinds: [],
    house: {
      id: 'local',
      can_be_tried: true,
      figures: figures({ answers: 20_517, first_p50_ms: 4, first_p95_ms: 11, took_ms: 6 }),
      failure: null,
      uses: [{ kind: 'then', title: {}, of: 'advisor' }],
    },
    gone: [
      {
        id: 'night-shift',
        uses: [{ kind: 'node', title: { 'zh-CN': '夜间', en: 'Night' }, of: '' }],
      },
    ],
    first: 'advisor',
  };
}

const tried = (more) => ({
  is_ok: true,
  code: '',
  detail: '',
  text: '',
  citations: [],
  confidence: null,
  partial: false,
  actions: [],
  first_ms: 0,
  took_ms: 0,
  prompt_tokens: 0,
  completion_tokens: 0,
  cost: 0,
  currency: '',
  ...more,
});

const SILENT = tried({ took_ms: 9 });
const PARTIAL = tried({
  text: `很抱歉给您带来不便。${'起球属于质量问题，签收 30 天内可以免费换货，'.repeat(14)}`,
  citations: [
    '质量问题处理',
    '质量问题处理',
    '一份名字特别长的内部处理规范（2026 年第三版，含附录）',
  ],
  partial: true,
  first_ms: 172,
  took_ms: 11_400,
  prompt_tokens: 12_034,
  completion_tokens: 512,
  cost: 0.0023,
  currency: 'CNY',
  actions: ['handoff: 售后组'],
});

/** Answers about bots, or nothing if the path is another's. */
export function answerBots(bots, method, path, body) {
  if (path === '/bots') return { status: 200, json: bots };
  const [, id, what] = /^\/bots\/([a-z0-9-]+)(?:\/(\w+))?$/.exec(path) ?? [];
  const found = bots.bots.find((one) => one.id === id);
  if (method === 'POST' && what === 'test') {
    const isBad = id === 'router';
    const detail =
      'Coze does not accept the token. Tokens of coze.cn are not good at coze.com, nor the other ' +
      'way round. It says: The token you entered is incorrect (logid 20261125170000ABCDEF)';
    return {
      status: 200,
      json: isBad
        ? tried({ is_ok: false, code: 'bot_misconfigured', detail })
        : tried({ detail: id === 'local' ? '' : '售后问答', took_ms: 48 }),
    };
  }
  if (method === 'POST' && what === 'ask') {
    const done = id === 'local' ? SILENT : PARTIAL;
    const lines = [{ delta: done.text.slice(0, 40) }, { done }].filter(({ delta }) => delta !== '');
    return { status: 200, lines };
  }
  if (method === 'PUT') {
    const text = 'base_url: This is not an address: it cannot be read.';
    return { status: 400, json: { error: { code: 'bad_input', text, field: 'settings' } } };
  }
  if (found !== undefined && body !== undefined) return { status: 200, json: found };
  return undefined;
}
