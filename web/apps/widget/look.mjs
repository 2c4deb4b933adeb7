/**
 * Draws the widget in every state into a folder of screenshots, against a scripted server, and
 * checks each with axe. A developer's tool: `npm run look -w @qingniao/widget [folder] [filter]`,
 * after a build. Needs Chromium (`CHROMIUM`, by default /usr/bin/chromium).
 */

import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { launch } from '../../chromium.mjs';
import { packed } from '../../packages/protocol/src/codec.ts';
import { EntryType, Kind } from '../../packages/protocol/src/frames.ts';

const [, , folder = 'dist/look', filter = ''] = argv;
const web = fileURLToPath(new URL('../../../src/qingniao/web/', import.meta.url));
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const origin = 'http://localhost:4173';
const types = { html: 'text/html', js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml' };
const started = Date.now();
mkdirSync(folder, { recursive: true });

const site = {
  name: '山雀衣社客服',
  greeting: {
    'zh-CN': '您好，我是智能客服，可以直接问我，也可以随时转人工。',
    en: 'Hello! Ask me anything, or talk to a person at any time.',
  },
  quick: { 'zh-CN': ['查物流', '退换货', '开发票'], en: ['Track an order', 'Returns', 'Invoices'] },
  colour: '#0B8F87',
  file_bytes: 20_971_520,
  hours: '9:00–21:00',
};
const limits = {
  frame_bytes: 65_536,
  body_chars: 4_000,
  credit: 32,
  rate: 10,
  follows: 1,
  beat_ms: 45_000,
  hello_ms: 10_000,
  replay: 100,
  file_bytes: 20_971_520,
};
const { TEXT, ANSWER, STATUS, FILE, RATING } = EntryType;
const ago = (minutes) => started - minutes * 60_000;
const agent = { id: 7, name: '周宁' };

/** Entries from short hand: [minutes ago, sender, type, body]. */
const log = (...lines) =>
  lines.map(([minutes, sender, type, body], index) => ({
    kind: Kind.ENTRY,
    conversation: 1041,
    seq: index + 1,
    time: ago(minutes),
    sender,
    type,
    body,
  }));
const asked = [
  [26, 'v', TEXT, '买大了能退吗'],
  [
    26,
    'b',
    ANSWER,
    {
      text: '签收 7 天内、吊牌完好可以退货。在「我的订单 → 申请售后」提交，上门取件免运费。',
      cites: [
        {
          id: 'k2',
          title: '退换货规则 · 第 2 条',
          quote: '自签收次日起 7 天内，商品吊牌、包装完好，可申请无理由退货，首次上门取件免运费。',
        },
      ],
      options: ['怎么申请售后', '退款多久到账', '转人工'],
      bot: 'local',
    },
  ],
];
const toWaiting = [
  2,
  's',
  STATUS,
  { from: 'bot', to: 'waiting', why: 'asked', by: 'v', session: 1 },
];
const withAgent = [
  ...asked,
  [3, 'v', TEXT, '退款多久到账？转人工'],
  toWaiting,
  [1.6, 's', STATUS, { from: 'waiting', to: 'open', why: 'taken', by: 'a7', agent, session: 1 }],
  [1.5, 'a7', TEXT, '林女士您好！取件扫描后 24 小时内原路退回，支付宝一般当天到账。'],
  [1, 'v', TEXT, '好的，谢谢'],
  [
    0.8,
    'a7',
    FILE,
    { id: 'missing', name: '退货流程图.pdf', size: 482_113, mime: 'application/pdf' },
  ],
  [0.7, 'a7', TEXT, '流程图发您了，也可以看 https://example.com/returns?from=chat 这个页面。'],
  [0.5, 'v', TEXT, '收到'],
];
const open = { status: 'open', assignee: agent, read: { v: 10, a: 10 } };
const long = '这是一段很长很长的话，用来看看折行是不是自然。'.repeat(12);
const picture =
  '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="420"><defs><linearGradient id="g" x2="1" y2="1"><stop stop-color="#c9b18f"/><stop offset="1" stop-color="#8a6f4d"/></linearGradient></defs><path fill="url(#g)" d="M0 0h640v420H0z"/><circle cx="320" cy="210" r="90" fill="#f3e8d8"/></svg>';

/** Each: what the server knows, and what happens once the panel is open. */
const scenes = {
  closed: { isShut: true },
  empty: {},
  connecting: { isSilent: true },
  answer: {
    entries: log(...asked),
    act: async (page) => page.locator('summary').click(),
  },
  thumb: {
    entries: log(...asked, [25, 'v', RATING, { score: 5, of: 2 }]),
    act: async (page) => {
      // Changed by key, before the server has heard of it.
      await page.locator('[aria-pressed]').nth(1).focus();
      await page.keyboard.press('Enter');
      await page.waitForTimeout(100);
      const pressed = await page.locator('[aria-pressed=true]').getAttribute('aria-label');
      if (!['没帮助', 'Not helpful'].includes(pressed)) throw new Error(`pressed: ${pressed}`);
    },
  },
  streaming: {
    entries: log([1, 'v', TEXT, '驼色这件有 XL 吗？']),
    act: async (_page, send) => {
      send({
        kind: Kind.DELTA,
        conversation: 1041,
        draft: 4,
        offset: 0,
        text: '有的，驼色目前 S 到 XL 都有现货，',
      });
      send({
        kind: Kind.DELTA,
        conversation: 1041,
        draft: 4,
        offset: 18,
        text: 'XL 适合身高 172–178 cm',
      });
    },
  },
  thinking: {
    entries: log(...asked.slice(0, 1)).map((entry) => ({ ...entry, time: Date.now() - 2_000 })),
  },
  queue: {
    entries: log(...asked, [3, 'v', TEXT, '退款多久到账？转人工'], toWaiting),
    state: { status: 'waiting', queue: { ahead: 1, eta_s: 20 } },
  },
  agent: {
    entries: log(...withAgent),
    state: open,
    act: async (_page, send) =>
      send({ kind: Kind.TYPING, conversation: 1041, on: true, preview: '', sender: 'a7' }),
  },
  offline: {
    entries: log(...withAgent),
    state: open,
    act: async (page, _send, drop) => {
      drop();
      await page.locator('textarea').fill('我在地铁里，信号不好');
      await page.keyboard.press('Enter');
      await page.waitForTimeout(2_200);
    },
  },
  failed: {
    entries: log(...asked),
    refuses: { code: 112, text: 'empty, too long or of a wrong shape', temporary: false },
    act: async (page) => {
      await page.locator('textarea').fill('这条会被拒绝');
      await page.keyboard.press('Enter');
    },
  },
  long: {
    entries: log(
      [9, 'v', TEXT, long],
      [8, 'b', ANSWER, { text: `${long}\n\n1. 第一步\n2. 第二步`, partial: true }],
      [7, 'v', TEXT, `https://example.com/${'a-very-long-address-'.repeat(12)}`],
      [7, 'v', TEXT, 'Donaudampfschifffahrtsgesellschaftskapitän'.repeat(3)],
    ),
    act: async (page) =>
      page.locator('textarea').fill('写了好几行\n第二行\n第三行\n第四行\n第五行\n第六行\n第七行'),
  },
  picture: {
    entries: log(
      [
        3,
        'v',
        FILE,
        { id: 'picture', name: '吊牌.jpg', size: 80_000, mime: 'image/jpeg', w: 640, h: 420 },
      ],
      [2, 'b', ANSWER, { text: '图片收到了，我帮您看一下。' }],
    ),
  },
  upload: {
    entries: log(...asked),
    act: async (page) => {
      const file = (name, mimeType, size) => ({ name, mimeType, buffer: Buffer.alloc(size, 1) });
      await page
        .locator('input[type=file]')
        .setInputFiles([
          { name: '吊牌.svg', mimeType: 'image/svg+xml', buffer: Buffer.from(picture) },
          file('a.exe', 'application/x-msdownload', 900),
          file('视频.mp4', 'video/mp4', 21_000_000),
        ]);
    },
  },
  pill: {
    entries: log(...withAgent, ...withAgent, ...withAgent),
    state: open,
    act: async (page, send) => {
      await page.locator('.log').evaluate((log) => log.scrollTo(0, 300));
      await page.waitForTimeout(100);
      send({ ...log([0, 'a7', TEXT, '还在吗？'])[0], seq: withAgent.length * 3 + 1 });
    },
  },
  rating: {
    entries: log(...withAgent, [
      0,
      's',
      STATUS,
      { from: 'open', to: 'closed', why: 'done', by: 'a7', session: 1 },
    ]),
    state: { status: 'closed', read: { v: 10, a: 10 } },
    act: async (page) => page.locator('.stars label').nth(3).click(),
  },
  rated: {
    entries: log(
      ...withAgent,
      [0, 's', STATUS, { from: 'open', to: 'closed', why: 'done', by: 'a7', session: 1 }],
      [0, 'v', RATING, { score: 5 }],
    ),
    state: { status: 'closed' },
  },
  banned: { bye: 3501 },
};

const browser = await launch();

async function draw(name, scene, { width, height, lang = '', dark = false }) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? 'dark' : 'light',
    reducedMotion: 'reduce',
    hasTouch: width < 500,
  });
  const page = await context.newPage();
  const trouble = [];
  page.on('pageerror', (error) => trouble.push(String(error)));
  page.on(
    'console',
    (line) => line.type() === 'error' && !line.text().includes('415') && trouble.push(line.text()),
  );
  let socket;
  let isLost = false;
  const send = (frame) => socket.send(Buffer.from(packed.encode(frame)));

  await page.route(`${origin}/**`, (route) => serve(route, name));
  await page.routeWebSocket(/\/ws$/, (ws) => {
    if (isLost) return ws.close({ code: 3000 });
    socket = ws;
    ws.onMessage(
      (message) =>
        !scene.isSilent && answer(scene, packed.decode(new Uint8Array(message)), send, ws),
    );
  });
  await page.goto(`${origin}/demo/${lang}`);
  await page.locator('.launcher').waitFor();
  if (!scene.isShut) {
    await page.locator('.launcher').click();
    await page.locator('textarea').waitFor();
    await page.waitForTimeout(300);
    await scene.act?.(page, send, () => {
      isLost = true;
      socket.close({ code: 3000 });
    });
  }
  await page.waitForTimeout(350);
  const file = `${folder}/${name}-${width}${dark ? '-dark' : ''}${lang ? '-en' : ''}.png`;
  await page.screenshot({ path: file });
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  for (const { id, nodes } of violations)
    trouble.push(`axe ${id}: ${nodes[0].html.slice(0, 160)} ${nodes[0].failureSummary}`);
  console.log(file, trouble.length > 0 ? trouble : 'clean');
  await context.close();
  return trouble.length;
}

function answer(scene, frame, send, ws) {
  const entries = scene.entries ?? [];
  if (frame.kind === Kind.HELLO) {
    if (scene.bye) {
      send({ kind: Kind.BYE, code: scene.bye, text: '', retry_after_ms: 0 });
      return ws.close({ code: scene.bye });
    }
    const fields = {
      status: 'bot',
      assignee: null,
      last: entries.length,
      from: 1,
      n: 0,
      session: 1,
      read: { v: entries.length, a: 0 },
      ...scene.state,
    };
    send({
      kind: Kind.WELCOME,
      session: 's',
      time: Date.now(),
      limits,
      conversations: [[1041, fields]],
    });
    for (const entry of entries) send(entry);
  } else if (frame.kind === Kind.SEND && scene.refuses) {
    send({ kind: Kind.ERROR, conversation: 1041, n: frame.n, expected: 0, ...scene.refuses });
  }
}

async function serve(route, scene) {
  const { pathname } = new URL(route.request().url());
  const json = (body, status = 200) =>
    route.fulfill({ status, contentType: 'application/json', body: JSON.stringify(body) });
  if (pathname === '/api/v1/site') return scene === 'connecting' ? undefined : json(site);
  if (pathname === '/api/v1/visitors') {
    return json({ token: 't', visitor: 'u', conversation: 1041, expires: Date.now() + 1e10 });
  }
  if (pathname === '/api/v1/files') {
    if (route.request().postData()?.includes('a.exe')) {
      return json({ error: { code: 'not_allowed', text: '', temporary: false } }, 415);
    }
    return undefined;
  }
  if (pathname === '/files/picture')
    return route.fulfill({ contentType: types.svg, body: picture });
  if (pathname === '/favicon.ico') return route.fulfill({ status: 204 });
  const path = web + pathname.slice(1) + (pathname.endsWith('/') ? 'index.html' : '');
  await route.fulfill({
    body: readFileSync(path),
    contentType: types[path.split('.').at(-1)] ?? types.html,
  });
}

let troubles = 0;
for (const [name, scene] of Object.entries(scenes)) {
  if (filter && !name.match(filter)) continue;
  troubles += await draw(name, scene, { width: 1440, height: 900 });
  troubles += await draw(name, scene, { width: 390, height: 844 });
  if (['empty', 'answer', 'agent', 'queue', 'offline', 'rating'].includes(name)) {
    troubles += await draw(name, scene, { width: 390, height: 844, dark: true });
    troubles += await draw(name, scene, { width: 390, height: 844, lang: 'en.html' });
  }
}
await browser.close();
if (troubles > 0) throw new Error(`${troubles} things to look at`);
