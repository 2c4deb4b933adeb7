/**
 * A chat in a real browser through HAProxy, while the gateways of a real cluster are killed one after
 * the other: nothing that either side wrote is lost or doubled in either page.
 *
 *     node e2e/cluster.mjs FOLDER     screenshots go to FOLDER
 *
 * Needs Chromium, PostgreSQL, Redis and HAProxy, and the built web parts.
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, env, exit, kill, stderr } from 'node:process';
import { createInterface } from 'node:readline';
import { launch } from '../chromium.mjs';
import { log, NEW_PASSWORD, people, reads, times } from './stage.mjs';

const folder = argv[2] ?? join(tmpdir(), 'qingniao-cluster-story');
mkdirSync(folder, { recursive: true });
const python = new URL('../../.venv/bin/python', import.meta.url).pathname;
const data = mkdtempSync(join(tmpdir(), 'qingniao-cluster-'));
chmodSync(data, 0o755); // PostgreSQL's own account has to pass

const said = [];
const cluster = spawn(
  python,
  ['-m', 'qingniao', 'cluster', '--port', '0', '--data', join(data, 'cluster')],
  { env, stdio: ['ignore', 'pipe', 'pipe'] },
);
cluster.stderr.pipe(stderr);
const ended = once(cluster, 'exit');
createInterface({ input: cluster.stdout }).on('line', (line) => said.push(line));

/** Waits for a line of the cluster that matches. */
async function says(pattern, within = 60_000) {
  const until = Date.now() + within;
  for (;;) {
    const found = said.map((line) => pattern.exec(line)).find(Boolean);
    if (found) return found;
    if (cluster.exitCode !== null || Date.now() > until) {
      throw new Error(`the cluster never said ${pattern}:\n${said.join('\n')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function gateways() {
  const rows = JSON.parse(readFileSync(join(data, 'cluster', 'processes.json'), 'utf8'));
  return rows.filter(({ role }) => role === 'gateway');
}

const browser = await launch();
const { open, pages, faults } = people(browser);

try {
  await says(/^ready$/, 120_000);
  const url = (await says(/console +(http:\S+)\/console\//))[1];
  const password = (await says(/one-time password: (\S+)/))[1];

  log('the visitor is answered by the bot, through HAProxy');
  const visitor = await open('visitor');
  await visitor.goto(`${url}/demo/`);
  await visitor.getByRole('button', { name: /在线咨询/ }).click();
  const panel = visitor.getByRole('dialog');
  const box = panel.getByRole('textbox');
  // What could be asked is offered once something can be said: before that, Enter does nothing.
  await panel.getByRole('button', { name: '怎么退货' }).waitFor();
  await box.fill('怎么退货');
  await box.press('Enter');
  await reads(panel, '自签收之日起');

  log('the administrator signs in and takes the conversation');
  const agent = await open('agent');
  await agent.goto(`${url}/console/`);
  await agent.getByLabel('账号').fill('admin');
  await agent.getByLabel('密码', { exact: true }).fill(password);
  await agent.getByRole('button', { name: '登录' }).click();
  await agent.getByLabel('现在的密码').fill(password);
  await agent.getByLabel('新密码').fill(NEW_PASSWORD);
  await agent.getByLabel('再输入一次').fill(NEW_PASSWORD);
  await agent.getByRole('button', { name: '保存并进入' }).click();
  await agent.getByRole('link', { name: /我的 0/ }).waitFor();
  await box.fill('退款多久到账？转人工');
  await box.press('Enter');
  await agent.getByRole('link', { name: /我的 1/ }).waitFor();
  await agent.locator('a[href*="/console/c/"]').first().click();
  const transcript = agent.getByRole('region', { name: '会话内容' });
  await reads(transcript, '退款多久到账？转人工');
  const reply = agent.getByRole('textbox').last();

  const texts = [];
  async function say(where, text) {
    texts.push(text);
    await where.fill(text);
    await where.press('Enter');
  }

  for (const { name, pid } of gateways()) {
    log(`${name} is killed while both write`);
    await say(box, `顾客在${name}停止以前`);
    await say(reply, `客服在${name}停止以前`);
    kill(pid, 'SIGKILL');
    await say(box, `顾客在${name}停止以后`);
    await say(reply, `客服在${name}停止以后`);
    for (const text of texts.slice(-4)) {
      await reads(panel, text, 40_000);
      await reads(transcript, text, 40_000);
    }
    await says(new RegExp(`${name} runs again`));
  }
  for (const [part, where] of [
    [panel, 'widget'],
    [transcript, 'console'],
  ]) {
    for (const text of texts) assert.equal(await times(part, text), 1, `${text} in ${where}`);
  }
  for (const [name, page] of pages) {
    await page.screenshot({ path: join(folder, `cluster-${name}-1440.png`) });
  }

  log('after a reload everything is still there, once');
  await visitor.reload();
  const again = visitor.getByRole('dialog');
  if (!(await again.isVisible())) {
    await visitor.getByRole('button', { name: /在线咨询/ }).click();
  }
  for (const text of texts) {
    await reads(again, text);
    assert.equal(await times(again, text), 1, `${text} after reload`);
  }
  assert.deepEqual(faults, [], 'a page threw');
  log('done');
} catch (error) {
  stderr.write(`${said.join('\n')}\n`);
  for (const [name, page] of pages) {
    await page.screenshot({ path: join(folder, `failure-cluster-${name}.png`) }).catch(() => {});
  }
  throw error;
} finally {
  await browser.close();
  cluster.kill('SIGTERM');
  await ended;
  rmSync(data, { recursive: true, force: true });
}
exit(0);
