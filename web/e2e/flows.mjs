/**
 * A flow drawn in a real browser against a real server: from an empty canvas an administrator draws start, sensitive
 * words, intent, knowledge and a person by dragging, mends what the check says, tries it, publishes, sees a visitor go
 * through it, changes it, is told when another administrator did the same, and goes back.
 *
 *     node e2e/flows.mjs FOLDER     screenshots at 390 and 1440 pixels go to FOLDER
 *
 * Needs Chromium (`CHROMIUM`, by default /usr/bin/chromium) and the built web parts.
 */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, exit } from 'node:process';
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
} from './stage.mjs';

const folder = argv[2] ?? join(tmpdir(), 'qingniao-flows');
const data = mkdtempSync(join(tmpdir(), 'qingniao-flows-'));
mkdirSync(folder, { recursive: true });
const picture = (page, name) => pictures(page, folder, `flow-${name}`);

const port = await freePort();
const url = `http://127.0.0.1:${port}`;
const server = await serve(data, port);
const browser = await launch();
const { open, pages, faults } = people(browser);

/** The node with this title on the canvas. */
const node = (page, title) =>
  page.locator('.react-flow__node', {
    has: page.locator('b', { hasText: new RegExp(`^${title}$`) }),
  });

/** Where a node's way out, or its way in, lies on the screen. */
async function dot(page, title, way) {
  const handle =
    way === undefined
      ? node(page, title).locator('.flow-handle-in')
      : node(page, title)
          .locator('.flow-way', { hasText: new RegExp(`^${way}$`) })
          .locator('.flow-handle');
  const box = await handle.boundingBox();
  assert.ok(box, `${title} has ${way ?? 'a way in'}`);
  return [box.x + box.width / 2, box.y + box.height / 2];
}

async function dragFromPalette(page, kind, [x, y]) {
  await page
    .locator('.flow-piece', { hasText: new RegExp(`^${kind}$`) })
    .dragTo(page.locator('.flow-canvas'), { targetPosition: { x, y } });
  await node(page, kind).waitFor();
}

/** Draws a line with the mouse, as a person does. */
async function lead(page, from, way, to) {
  const lines = page.locator('.react-flow__edge');
  const before = await lines.count();
  const [x, y] = await dot(page, from, way);
  const [toX, toY] = await dot(page, to);
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move((x + toX) / 2, (y + toY) / 2, { steps: 4 });
  await page.mouse.move(toX, toY, { steps: 4 });
  await page.mouse.up();
  for (let i = 0; i < 40 && (await lines.count()) === before; i += 1) await page.waitForTimeout(50);
  assert.equal(await lines.count(), before + 1, `${from} leads by ${way} to ${to}`);
}

const tab = (page, name) => page.getByRole('tab', { name: new RegExp(name) });
const isSaved = (page) => page.locator('.flow-save', { hasText: '已自动保存' }).waitFor();
const showAll = (page) => page.getByRole('button', { name: '看全部' }).click();

async function signIn(page, password, isFirst) {
  await page.goto(`${url}/console/`);
  await page.getByLabel('账号').fill('admin');
  await page.getByLabel('密码', { exact: true }).fill(password);
  await page.getByRole('button', { name: '登录' }).click();
  if (!isFirst) return;
  await page.getByLabel('现在的密码').fill(password);
  await page.getByLabel('新密码').fill(NEW_PASSWORD);
  await page.getByLabel('再输入一次').fill(NEW_PASSWORD);
  await page.getByRole('button', { name: '保存并进入' }).click();
}

/** A new visitor who is told this. */
async function asksForAPerson(name, told) {
  const page = await open(name);
  await page.goto(`${url}/demo/`);
  await page.getByRole('button', { name: /在线咨询/ }).click();
  const talk = page.getByRole('dialog');
  await talk.getByRole('textbox').fill('转人工');
  await talk.getByRole('textbox').press('Enter');
  await reads(talk, told);
}

try {
  log('the administrator finds the flows and begins an empty one');
  const admin = await open('admin');
  await signIn(admin, server.password, true);
  await admin.getByRole('link', { name: '流程' }).click();
  const main = admin.getByRole('main');
  await reads(main, '接待访客');
  await picture(admin, 'list');
  await accessible(admin, 'the list of flows');
  await admin.getByRole('button', { name: '新建流程' }).click();
  const asked = admin.getByRole('dialog');
  await asked.getByRole('button', { name: '开始绘制' }).click();
  await reads(asked, '请起个名字');
  await asked.getByLabel('名称').fill('退货接待');
  await asked.getByLabel('编号').fill('returns');
  await asked.getByRole('button', { name: '开始绘制' }).click();
  await reads(admin.locator('.flow-stage'), '从左边拖一个“开始”过来');
  await picture(admin, 'empty');
  await accessible(admin, 'the empty canvas');

  log('five nodes by dragging, and lines between them');
  await dragFromPalette(admin, '开始', [120, 130]);
  await dragFromPalette(admin, '敏感词', [390, 130]);
  await dragFromPalette(admin, '意图识别', [650, 130]);
  await dragFromPalette(admin, '知识库检索', [390, 420]);
  await dragFromPalette(admin, '转人工', [650, 500]);
  await lead(admin, '开始', '访客来问', '敏感词');
  await lead(admin, '敏感词', '通过', '意图识别');
  await lead(admin, '意图识别', '都不是', '知识库检索');
  await lead(admin, '知识库检索', '没把握', '转人工');
  await isSaved(admin);
  await picture(admin, 'five');

  log('the check says what is missing, at the node and in the list; it cannot be published');
  const publish = admin.getByRole('button', { name: '发布', exact: true });
  assert.equal(await publish.isDisabled(), true);
  await tab(admin, '检查').click();
  const findings = admin.locator('.flow-findings');
  await reads(findings, '出口“命中”没有连接');
  await reads(findings, '出口“有把握”没有连接');
  await picture(admin, 'findings');
  await accessible(admin, 'the findings');
  await lead(admin, '敏感词', '命中', '转人工');
  await lead(admin, '意图识别', '要人工', '转人工');
  await lead(admin, '意图识别', '生气了', '转人工');
  log(
    'what the knowledge base knows is answered: added by keyboard, behind the node that is selected',
  );
  await findings.getByRole('button', { name: /知识库检索/ }).click();
  await showAll(admin);
  const answers = admin.getByRole('button', { name: '机器人回答' });
  await answers.focus();
  await admin.keyboard.press('Enter');
  await node(admin, '机器人回答').waitFor();
  const ends = admin.getByRole('button', { name: '结束', exact: true });
  await ends.focus();
  await admin.keyboard.press('Enter');
  await node(admin, '结束').waitFor();
  await showAll(admin);
  await node(admin, '机器人回答').click();
  await admin.getByLabel('没把握', { exact: true }).selectOption({ label: '转人工' });
  await admin.getByLabel('出错时', { exact: true }).selectOption({ label: '转人工' });
  await admin.getByRole('button', { name: '自动排列' }).click();
  await isSaved(admin);
  await reads(admin.locator('.flow-bar'), '检查通过');
  await picture(admin, 'mended');
  await accessible(admin, 'the inspector');

  log('a step is undone and done again; a copy comes and goes');
  const has = async (wanted) => {
    const count = () => admin.locator('.react-flow__node').count();
    for (let i = 0; i < 60 && (await count()) !== wanted; i += 1) await admin.waitForTimeout(50);
    assert.equal(await count(), wanted);
  };
  await has(7);
  await node(admin, '转人工').click();
  await admin.keyboard.press('Control+d');
  await has(8);
  await admin.keyboard.press('Delete');
  await has(7);
  await admin.keyboard.press('Control+z');
  await has(8);
  await admin.keyboard.press('Control+z');
  await has(7);

  log('tried: the path lights up, each node says what decided');
  await admin.getByRole('button', { name: '试一试', exact: true }).click();
  const box = admin.getByRole('textbox', { name: '以访客身份输入…' });
  await box.fill('怎么退货');
  await box.press('Enter');
  const path = admin.getByRole('region', { name: '这一轮走过的路' });
  await reads(admin.getByRole('log'), '自签收之日起');
  await reads(path, '有把握');
  assert.equal(await node(admin, '机器人回答').locator('.flow-step-lit').count(), 1);
  assert.equal(await node(admin, '转人工').locator('.flow-step-lit').count(), 0);
  await path.getByText('查看输入与输出').first().click();
  await reads(path, '输出 ·');
  await showAll(admin);
  await picture(admin, 'try');
  await accessible(admin, 'the try');
  await box.fill('转人工');
  await box.press('Enter');
  await reads(admin.getByRole('log'), '已转人工');
  assert.equal(await node(admin, '转人工').locator('.flow-step-lit').count(), 1);

  log('published, a visitor goes the same way');
  await isSaved(admin);
  await publish.click();
  await reads(admin.locator('.flow-bar'), '线上 v1');
  const visitor = await open('visitor');
  await visitor.goto(`${url}/demo/`);
  await visitor.getByRole('button', { name: /在线咨询/ }).click();
  const panel = visitor.getByRole('dialog');
  await panel.getByRole('textbox').fill('怎么退货');
  await panel.getByRole('textbox').press('Enter');
  await reads(panel, '自签收之日起');
  await panel.getByRole('textbox').fill('转人工');
  await panel.getByRole('textbox').press('Enter');
  await reads(panel, '正在为您转接人工客服');
  await picture(visitor, 'visitor');

  log('two administrators at once: the later one is told and chooses');
  const other = await open('other');
  await signIn(other, NEW_PASSWORD, false);
  await other.getByRole('link', { name: '流程' }).waitFor();
  await other.goto(`${url}/console/flows/returns`);
  await node(other, '转人工').click();
  await tab(other, '设置').click();
  await other.getByLabel('对访客说 · 中文').fill('马上就来人。');
  await isSaved(other);
  await node(admin, '转人工').click();
  await tab(admin, '设置').click();
  await admin.getByLabel('对访客说 · 中文').fill('请稍候，人马上来。');
  const conflict = admin.getByRole('alert').filter({ hasText: '另一位管理员' });
  await conflict.waitFor();
  await conflict.getByText('对方的版本和您的相比').click();
  await reads(conflict, '马上就来人。');
  await picture(admin, 'conflict');
  await accessible(admin, 'the conflict');
  await conflict.getByRole('button', { name: '用我的，覆盖对方的' }).click();
  await isSaved(admin);

  log('published again, compared, and taken back');
  await publish.click();
  await reads(admin.locator('.flow-bar'), '线上 v2');
  await asksForAPerson('second', '请稍候，人马上来。');
  await tab(admin, '版本').click();
  await admin.getByRole('button', { name: '与线上比较 v1' }).click();
  const compared = admin.getByRole('dialog');
  await reads(compared, '请稍候，人马上来。');
  await picture(admin, 'diff');
  await accessible(admin, 'the comparison');
  await compared.getByRole('button', { name: '关闭' }).click();
  await compared.waitFor({ state: 'hidden' });
  await admin.getByRole('button', { name: '回到这一版 v1' }).click();
  await admin.getByRole('dialog').getByRole('button', { name: '回到这一版' }).click();
  await reads(admin.locator('.flow-bar'), '线上 v3');
  await picture(admin, 'versions');
  await asksForAPerson('third', '正在为您转接人工客服');

  log('the canvas as a list, for keyboards');
  await tab(admin, '清单').click();
  await reads(admin.locator('.flow-outline'), '访客来问 → 敏感词');
  await picture(admin, 'outline');
  await accessible(admin, 'the list of nodes');

  log('in the dark, in English, and on a phone, where it is looked at and not drawn');
  await admin.emulateMedia({ colorScheme: 'dark' });
  await tab(admin, '试一试').click();
  await admin.getByRole('button', { name: '怎么退货' }).click();
  await reads(path, '有把握');
  await showAll(admin);
  await picture(admin, 'dark');
  await accessible(admin, 'the dark canvas');
  await admin.emulateMedia({ colorScheme: 'light' });
  await admin.setViewportSize({ width: 390, height: 844 });
  await admin.reload();
  await reads(admin.getByRole('main'), '请用大一点的屏幕');
  assert.equal(await admin.locator('.flow-palette').count(), 0);
  await admin.getByRole('searchbox', { name: '找节点' }).fill('敏感');
  await admin.keyboard.press('Enter');
  await reads(admin.locator('.flow-find'), '1 个');
  await picture(admin, 'phone');
  await admin.setViewportSize({ width: 390, height: 844 });
  await accessible(admin, 'the canvas on a phone');
  await admin.getByRole('button', { name: '清单' }).click();
  await admin
    .locator('.flow-outline')
    .getByRole('button', { name: /敏感词/ })
    .click();
  await picture(admin, 'phone-list');

  assert.deepEqual(faults, [], 'a page threw');
  log('done');
} catch (error) {
  for (const [name, page] of pages) {
    await page.screenshot({ path: join(folder, `failure-flow-${name}.png`) }).catch(() => {});
  }
  throw error;
} finally {
  server.child.kill('SIGKILL');
  await browser.close();
  rmSync(data, { recursive: true, force: true });
}
exit(0);
