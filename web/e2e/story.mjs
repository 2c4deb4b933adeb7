/**
 * The whole story in a real browser against a real server, killed with SIGKILL in the middle:
 * a visitor asks and is answered with a source, asks for a person, the console receives them, the
 * server dies between question and answer, both sides resume, nothing is lost or doubled.
 *
 *     node e2e/story.mjs FOLDER     screenshots at 390 and 1440 pixels go to FOLDER
 *
 * Needs Chromium (`CHROMIUM`, by default /usr/bin/chromium) and the built web parts.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
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
  times,
} from './stage.mjs';

const folder = argv[2] ?? join(tmpdir(), 'qingniao-story');
const data = mkdtempSync(join(tmpdir(), 'qingniao-story-'));
const QUESTION = '刚才那件外套还能改地址吗';
const ANSWER = '可以的，我这就帮您改，稍等。';
mkdirSync(folder, { recursive: true });

const picture = (page, name) => pictures(page, folder, name);
const start = (port) => serve(data, port);

const port = await freePort();
const url = `http://127.0.0.1:${port}`;
let server = await start(port);
const browser = await launch();
const { open, pages, faults } = people(browser);

try {
  log('the visitor asks and is answered from the knowledge base, with the source');
  const visitor = await open('visitor');
  await visitor.goto(`${url}/demo/`);
  await visitor.getByRole('button', { name: /在线咨询/ }).click();
  const panel = visitor.getByRole('dialog');
  const box = panel.getByRole('textbox');
  await box.waitFor();
  await picture(visitor, 'visitor-greeting');
  await accessible(visitor, 'the greeting');
  await box.fill('怎么退货');
  await box.press('Enter');
  await reads(panel, '自签收之日起');
  await reads(panel, '《退换货规则》');
  const helped = (where) => where.getByRole('button', { name: '有帮助', pressed: true });
  await panel.getByRole('button', { name: '有帮助', exact: true }).click();
  await helped(panel).waitFor();
  await picture(visitor, 'visitor-answer');
  await accessible(visitor, 'the answer');

  log('the administrator signs in and changes the one-time password');
  const agent = await open('agent');
  await agent.goto(`${url}/console/`);
  await agent.getByLabel('账号').waitFor();
  await picture(agent, 'console-sign-in');
  await accessible(agent, 'sign-in');
  await agent.getByLabel('账号').fill('admin');
  await agent.getByLabel('密码', { exact: true }).fill(server.password);
  await agent.getByRole('button', { name: '登录' }).click();
  await agent.getByLabel('新密码').waitFor();
  await picture(agent, 'console-new-password');
  await agent.getByLabel('现在的密码').fill(server.password);
  await agent.getByLabel('新密码').fill(NEW_PASSWORD);
  await agent.getByLabel('再输入一次').fill(NEW_PASSWORD);
  await agent.getByRole('button', { name: '保存并进入' }).click();
  await agent.getByRole('link', { name: /我的 0/ }).waitFor();
  await picture(agent, 'console-empty');
  await accessible(agent, 'the empty console');

  log('the visitor asks for a person; the console receives them with a summary');
  await box.fill('退款多久到账？转人工');
  await box.press('Enter');
  const mine = agent.getByRole('link', { name: /我的 1/ });
  await mine.waitFor();
  await agent.locator('a[href*="/console/c/"]').first().click();
  const transcript = agent.getByRole('region', { name: '会话内容' });
  await reads(transcript, '退款多久到账？转人工');
  await reads(transcript, '交接小结');
  await reads(transcript, '访客觉得机器人的回答有帮助');
  await reads(transcript, '评价的去向');
  await picture(agent, 'console-handoff');
  await accessible(agent, 'the handoff');

  log('the server is killed between question and answer');
  await box.fill(QUESTION);
  await box.press('Enter');
  await reads(transcript, QUESTION);
  server.child.kill('SIGKILL');
  await once(server.child, 'exit');
  const reply = agent.getByRole('textbox').last();
  await reply.fill(ANSWER);
  await reply.press('Enter');
  await box.fill('还有，能开发票吗');
  await box.press('Enter');
  await visitor.waitForTimeout(4_000); // both notice that nobody is there
  await picture(visitor, 'visitor-offline');
  await picture(agent, 'console-offline');
  await accessible(visitor, 'the widget offline');

  log('it comes back: both sides resume, everything is there once');
  server = await start(port);
  await reads(panel, ANSWER, 40_000);
  await reads(transcript, '还有，能开发票吗', 40_000);
  for (const [page, where] of [
    [panel, 'widget'],
    [transcript, 'console'],
  ]) {
    for (const text of [QUESTION, ANSWER, '还有，能开发票吗']) {
      assert.equal(await times(page, text), 1, `${text} in ${where}`);
    }
  }
  await picture(visitor, 'visitor-person');
  await picture(agent, 'console-chat');
  await accessible(agent, 'the chat');

  log('after a reload everything is still there, once');
  await visitor.reload();
  const again = visitor.getByRole('dialog');
  if (!(await again.isVisible())) {
    await visitor.getByRole('button', { name: /在线咨询/ }).click();
  }
  for (const text of [QUESTION, ANSWER, '还有，能开发票吗']) {
    await reads(again, text);
    assert.equal(await times(again, text), 1, `${text} after reload`);
  }

  await helped(again).waitFor();

  log('the agent closes; the visitor may rate');
  await agent.getByRole('button', { name: /结束会话/ }).click();
  await again
    .getByRole('radio')
    .or(again.getByRole('button', { name: /5|星/ }))
    .first()
    .waitFor();
  await picture(visitor, 'visitor-closed');
  await picture(agent, 'console-closed');

  log('the other pages');
  for (const [path, name] of [
    ['knowledge', '知识库'],
    ['team', '团队'],
    ['settings', '设置'],
  ]) {
    await agent.goto(`${url}/console/${path}`);
    await agent.getByRole('heading', { name }).first().waitFor();
    await agent.waitForTimeout(500); // the list under the heading
    await picture(agent, `console-${path}`);
    await accessible(agent, path);
  }
  assert.deepEqual(faults, [], 'a page threw');
  log('done');
} catch (error) {
  for (const [name, page] of pages) {
    await page.screenshot({ path: join(folder, `failure-${name}.png`) }).catch(() => {});
  }
  throw error;
} finally {
  server.child.kill('SIGKILL');
  await browser.close();
  rmSync(data, { recursive: true, force: true });
}
exit(0);
