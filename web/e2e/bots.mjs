/**
 * The bots' page in a real browser against a real server and the platforms' doubles: an administrator adds a bot of each
 * platform, tests it, publishes it, asks two the same, lets one answer visitors, loses its platform, reads what the page
 * says, compares versions and goes back.
 *
 *     node e2e/bots.mjs FOLDER     screenshots at 390 and 1440 pixels go to FOLDER
 *
 * Needs Chromium (`CHROMIUM`, by default /usr/bin/chromium) and the built web parts.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, exit } from 'node:process';
import { fileURLToPath } from 'node:url';
import { launch } from '../chromium.mjs';
import {
  accessible,
  freePort,
  log,
  NEW_PASSWORD,
  people,
  picture as pictures,
  reads,
  serve,
  started,
} from './stage.mjs';

const folder = argv[2] ?? join(tmpdir(), 'qingniao-bots');
const data = mkdtempSync(join(tmpdir(), 'qingniao-bots-'));
mkdirSync(folder, { recursive: true });

/** Seen from its top, as somebody who opens it does. */
async function picture(page, name) {
  const isTop = !name.startsWith('try');
  if (isTop) await page.evaluate(() => document.querySelector('.back-page')?.scrollTo(0, 0));
  await pictures(page, folder, `bots-${name}`);
}

const children = [];

/** Doubles of these platforms, in a process of their own; what to enter, and the first of each platform by name. */
async function doubles(...names) {
  const { child, lines } = await started(
    ['-m', 'qingniao', 'doubles', '--json', ...names],
    (line) => line.startsWith('['),
  );
  children.push(child);
  const entries = JSON.parse(lines.at(-1));
  const fields = {};
  for (const entry of entries) fields[entry.double] ??= entry;
  return { child, fields, entries };
}

const EXAMPLE = fileURLToPath(new URL('../../examples/bot_service.py', import.meta.url));
const [dify, others, own] = await Promise.all([
  doubles('dify'),
  doubles('fastgpt', 'coze', 'qwen'),
  started([EXAMPLE, '0'], (line) => line.startsWith('http')),
]);
children.push(own.child);
const { fastgpt, coze, qwen } = others.fields;
const difyApp = dify.fields.dify;

const port = await freePort();
const url = `http://127.0.0.1:${port}`;
const server = await serve(data, port, { QINGNIAO_OUTGOING_ALLOW: '127.0.0.1' });
children.push(server.child);
const browser = await launch();
const { open, pages, faults } = people(browser);

/** From the list: a new bot of this platform, saved and tested; ends on its page. */
async function add(admin, platform, name, fields, ...choices) {
  await admin.goto(`${url}/console/bots/new`);
  await admin.getByRole('link', { name: platform }).click();
  await admin.getByLabel('名称').fill(name);
  for (const choice of choices) await admin.getByText(choice, { exact: true }).click();
  for (const [label, value] of Object.entries(fields)) {
    await admin.getByLabel(label, { exact: false }).first().fill(value);
  }
  await admin.getByRole('button', { name: '保存并测试连接' }).click();
  await admin.getByRole('heading', { name, level: 1 }).waitFor();
}

const connected = (admin) => admin.locator('.bots-check-ok').waitFor();

async function publish(admin) {
  await admin.getByRole('button', { name: '发布', exact: true }).click();
  await admin.getByRole('button', { name: '发布', exact: true }).waitFor({ state: 'detached' });
}

try {
  log('the administrator signs in and finds the bots');
  const admin = await open('admin');
  const secrets = [difyApp.key, fastgpt.key, coze.token, qwen.key, 'PRIVATE KEY'];
  const leaks = [];
  admin.on('response', async (response) => {
    if (!response.url().includes('/api/v1/bots')) return;
    const text = await response.text().catch(() => '');
    if (secrets.some((secret) => text.includes(secret))) leaks.push(response.url());
  });
  await admin.goto(`${url}/console/`);
  await admin.getByLabel('账号').fill('admin');
  await admin.getByLabel('密码', { exact: true }).fill(server.password);
  await admin.getByRole('button', { name: '登录' }).click();
  await admin.getByLabel('现在的密码').fill(server.password);
  await admin.getByLabel('新密码').fill(NEW_PASSWORD);
  await admin.getByLabel('再输入一次').fill(NEW_PASSWORD);
  await admin.getByRole('button', { name: '保存并进入' }).click();
  await admin.getByRole('link', { name: '机器人' }).click();
  const main = admin.getByRole('main');
  await reads(main, '本地助手');
  await reads(main, '正常');
  await reads(main, '先回答访客');
  await picture(admin, 'empty');
  await accessible(admin, 'the empty list');

  log('Dify: what is missing is said at its field, a wrong key in a sentence');
  await admin.getByRole('button', { name: 'Dify' }).click();
  await admin.getByRole('button', { name: '保存并测试连接' }).click();
  await reads(main, '请起个名字');
  await reads(main, '请填写「密钥」');
  await picture(admin, 'missing');
  await accessible(admin, 'the form with faults');
  await add(admin, /Dify/, '售前顾问', { 接口地址: difyApp.url, 密钥: 'app-of-nobody' });
  await reads(main, 'Dify 不接受这个密钥');
  await picture(admin, 'refused');
  await accessible(admin, 'a bot that does not connect');
  await admin.getByRole('button', { name: '更换 密钥' }).click();
  await admin.getByLabel('密钥', { exact: true }).fill(difyApp.key);
  await admin.getByRole('button', { name: '保存并测试连接' }).click();
  await connected(admin);
  await reads(main, '连上了：售后问答');
  await publish(admin);
  await picture(admin, 'dify');
  await accessible(admin, 'a bot');

  log('the other platforms');
  await add(admin, /FastGPT/, '售后助手', {
    接口地址: fastgpt.url,
    密钥: fastgpt.key,
    应用编号: fastgpt.app,
  });
  await connected(admin);
  await publish(admin);
  await add(admin, /Coze/, '分流员', {
    接口地址: coze.url,
    智能体编号: coze.bot,
    个人访问令牌: coze.token,
  });
  await connected(admin);
  await publish(admin);
  await add(admin, /OpenAI/, '自建通义', {
    接口地址: qwen.url,
    模型: qwen.model,
    密钥: qwen.key,
    提示词: '您是旗舰店的客服，只谈售后，不许承诺赔偿。',
  });
  await connected(admin);
  await publish(admin);
  await add(admin, /自己的服务/, '回声', { 接口地址: own.lines.at(-1) });
  await connected(admin);
  await picture(admin, 'draft');
  await accessible(admin, 'a draft');
  await publish(admin);

  log('a workflow, and Coze by an application of its own');
  const workflow = dify.entries.find(({ app }) => app === 'workflow');
  const fields = { 接口地址: workflow.url, 密钥: workflow.key };
  await add(admin, /Dify/, '工作流', fields, '工作流');
  await connected(admin);
  const signed = others.entries.find((entry) => entry['private key'] !== undefined);
  await add(
    admin,
    /Coze/,
    '分流员二',
    {
      接口地址: signed.url,
      智能体编号: signed.bot,
      'OAuth 应用编号': signed.app,
      公钥指纹: signed['public key id'],
      私钥: signed['private key'],
    },
    'OAuth 应用',
  );
  await connected(admin);
  for (const name of ['dify-2', 'coze-2']) {
    await admin.goto(`${url}/console/bots/bot/${name}`);
    await admin.getByRole('button', { name: '删除机器人' }).click();
    const dialog = admin.getByRole('dialog');
    await dialog.getByRole('button', { name: '删除', exact: true }).click();
    await reads(main, '售前顾问');
  }

  log('one of them answers visitors first, without a restart');
  await admin.goto(`${url}/console/bots/bot/dify`);
  await admin.getByRole('button', { name: '让它先回答访客' }).click();
  await reads(main, '访客的问题由它先回答');
  const visitor = await open('visitor');
  await visitor.goto(`${url}/demo/`);
  await visitor.getByRole('button', { name: /在线咨询/ }).click();
  const panel = visitor.getByRole('dialog');
  const box = panel.getByRole('textbox');
  await reads(panel, '欢迎光临');
  await visitor.waitForTimeout(500); // connected, so that Enter sends
  await box.fill('怎么退货');
  await box.press('Enter');
  await reads(panel, '自签收之日起');

  log('the list: how each is, what it costs, how fast it is');
  await admin.goto(`${url}/console/bots`);
  const row = (name) => admin.getByRole('listitem').filter({ hasText: name });
  for (const name of ['售前顾问', '售后助手', '分流员', '自建通义', '回声']) {
    await reads(row(name), '正常');
  }
  await reads(row('售前顾问'), '先回答访客');
  await reads(row('售前顾问'), 'ms', 40_000);
  await picture(admin, 'list');
  await accessible(admin, 'the list');

  log('the same question to two, side by side');
  await admin.goto(`${url}/console/bots/try/dify`);
  const question = admin.getByRole('textbox', { name: '问题' });
  await question.fill('退款多久到账？');
  await question.press('Enter');
  const card = (name) => admin.getByRole('region', { name }).last();
  for (const name of [/本地助手/, /售前顾问/]) {
    await reads(card(name), '全部');
    await reads(card(name), '依据');
  }
  await reads(card(/售前顾问/), '首字');
  await reads(card(/售前顾问/), 'token');
  await picture(admin, 'try');
  await accessible(admin, 'two side by side');
  await admin.getByLabel('左边').selectOption({ label: '售后助手 v1' });
  await admin.getByLabel('右边').selectOption({ label: '自建通义 v1' });
  await question.fill('怎么退货？ [[truncate]]');
  await question.press('Enter');
  await reads(card(/售后助手/), '说到一半');
  await reads(card(/自建通义/), '访客不会看到');
  await picture(admin, 'try-truncated');
  await accessible(admin, 'two that broke off');

  log('a platform goes away: the page says so, and visitors are answered all the same');
  dify.child.kill('SIGKILL');
  await once(dify.child, 'exit');
  await box.fill('退款多久到账');
  await box.press('Enter');
  await reads(panel, '仓库验货后', 40_000);
  await admin.goto(`${url}/console/bots`);
  await reads(row('售前顾问'), '不可用');
  await reads(row('售前顾问'), '连不上 127.0.0.1：它没有运行，或者端口不对');
  await reads(row('售前顾问'), '1 次失败', 40_000);
  await picture(admin, 'broken');
  await accessible(admin, 'the list with a broken bot');
  await row('售前顾问').getByRole('link').click();
  await reads(main, '最近一次失败');
  await reads(main, '今天');
  await picture(admin, 'broken-one');
  await accessible(admin, 'a broken bot');
  await admin.goto(`${url}/console/bots/try/dify`);
  await question.fill('怎么退货？');
  await question.press('Enter');
  await reads(card(/售前顾问/), '没有回答');
  await reads(card(/本地助手/), '自签收之日起');
  await picture(admin, 'try-broken');

  log('versions: a draft, what it changes, published, and back again');
  await admin.goto(`${url}/console/bots/bot/openai`);
  await admin.getByLabel('提示词').fill('只谈物流。');
  await admin.getByText('使用规则').click();
  await admin.getByLabel('一共试几次').fill('-1');
  await admin.getByRole('button', { name: '保存草稿' }).click();
  await reads(main, '请填 0 或更大的数字');
  await admin.getByLabel('一共试几次').fill('3');
  await admin.getByRole('button', { name: '保存草稿' }).click();
  await admin.getByRole('button', { name: '看看改了什么' }).click();
  await reads(main, '一共试几次');
  await picture(admin, 'compare');
  await accessible(admin, 'a comparison');
  await publish(admin);
  await admin.getByRole('button', { name: '回到这一版 v1' }).click();
  const dialog = admin.getByRole('dialog');
  await reads(dialog, '只谈物流');
  await picture(admin, 'back');
  await accessible(admin, 'going back');
  await dialog.getByRole('button', { name: '回到这一版' }).click();
  await reads(main, '同 v1');

  log('a bot that the flow asks is not deleted without a word');
  await admin.goto(`${url}/console/bots/bot/dify`);
  await admin.getByRole('button', { name: '删除机器人' }).click();
  await reads(dialog, '正在问它的');
  await picture(admin, 'delete');
  await accessible(admin, 'the question before deleting');
  await dialog.getByRole('button', { name: '取消' }).click();
  await admin.goto(`${url}/console/bots/bot/bot`);
  await admin.getByRole('button', { name: '删除机器人' }).click();
  await dialog.getByRole('button', { name: '删除', exact: true }).click();
  await reads(main, '售前顾问');
  await row('回声').waitFor({ state: 'detached' });

  log('in English, in the dark');
  await admin.goto(`${url}/console/settings`);
  await admin.getByText('English', { exact: true }).click();
  await admin.getByText('Dark', { exact: true }).click();
  await admin.goto(`${url}/console/bots`);
  await reads(main, 'Not working');
  await reads(main, 'it is down, or its port differs');
  await picture(admin, 'dark');
  await accessible(admin, 'the dark list');
  await admin.goto(`${url}/console/bots/bot/openai`);
  await reads(main, 'Connected');
  await picture(admin, 'dark-one');
  await accessible(admin, 'a bot in the dark');
  assert.deepEqual(leaks, [], 'a secret came out');
  assert.deepEqual(faults, [], 'a page threw');
  log('done');
} catch (error) {
  for (const [name, page] of pages) {
    await page
      .screenshot({ path: join(folder, `failure-${name}.png`), fullPage: true })
      .catch(() => {});
  }
  throw error;
} finally {
  for (const child of children) child.kill('SIGKILL');
  await browser.close();
  rmSync(data, { recursive: true, force: true });
}
exit(0);
