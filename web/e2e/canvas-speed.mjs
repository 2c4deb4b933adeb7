/**
 * How long a canvas of many nodes takes to open, and what a frame costs while it is panned, in a real browser against a
 * real server. Prints one line of JSON, times in milliseconds.
 *
 *     node e2e/canvas-speed.mjs [NODES] [PICTURE]
 *
 * `open`: from the click in the list until every node is drawn, the canvas's code already fetched once; `cold`: the same
 * with everything fetched anew. `task_p99` and `task_max`: of the main thread's work in one frame of a pan of 120 frames.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, exit } from 'node:process';
import { launch } from '../chromium.mjs';
import { freePort, NEW_PASSWORD, people, serve } from './stage.mjs';

const nodes = Number(argv[2] ?? 300);
const data = mkdtempSync(join(tmpdir(), 'qingniao-canvas-'));
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
const server = await serve(data, port);
const browser = await launch();

/** Questions with two answers each, in rows: about as many lines as nodes have ways. */
function large() {
  const text = { 'zh-CN': '请问您想了解什么？', en: 'What would you like to know?' };
  const drawn = [{ id: 'start', kind: 'start', x: 0, y: 0 }];
  const edges = [{ source: 'start', port: 'asked', target: 'n1' }];
  for (let number = 1; number < nodes - 1; number += 1) {
    const id = `n${number}`;
    const place = { x: 300 + (number % 20) * 300, y: Math.floor(number / 20) * 260 };
    const label = (way) => ({ 'zh-CN': `选项 ${way}`, en: `Choice ${way}` });
    const buttons = [
      { port: 'a', label: label('A') },
      { port: 'b', label: label('B') },
    ];
    drawn.push({ id, kind: 'buttons', settings: { text, buttons }, ...place });
    const next = number + 1 < nodes - 1 ? `n${number + 1}` : 'person';
    for (const way of ['a', 'b', 'other'])
      edges.push({ source: id, port: way, target: way === 'b' ? 'person' : next });
  }
  const why = { why: 'asked', text: { 'zh-CN': '请稍候' } };
  drawn.push({ id: 'person', kind: 'handoff', settings: why, x: 6_600, y: 0 });
  return { format: 2, fallback: { 'zh-CN': '抱歉' }, nodes: drawn, edges };
}

async function opened(page) {
  await page.goto(`${url}/console/flows`);
  const link = page.getByRole('link', { name: /large/ });
  await link.waitFor();
  return page.evaluate(
    (count) =>
      new Promise((resolve) => {
        const began = performance.now();
        const look = () => {
          const drawn = document.querySelectorAll('.react-flow__node').length;
          if (drawn === count && document.querySelector('.react-flow__edge') !== null)
            // Twice: after the frame in which they are painted.
            requestAnimationFrame(() =>
              requestAnimationFrame(() => resolve(Math.round(performance.now() - began))),
            );
          else requestAnimationFrame(look);
        };
        document.querySelector('a[href$="/flows/large"]').click();
        look();
      }),
    nodes,
  );
}

try {
  const { open } = people(browser);
  const page = await open('admin');
  await page.goto(`${url}/console/`);
  await page.getByLabel('账号').fill('admin');
  await page.getByLabel('密码', { exact: true }).fill(server.password);
  await page.getByRole('button', { name: '登录' }).click();
  await page.getByLabel('现在的密码').fill(server.password);
  await page.getByLabel('新密码').fill(NEW_PASSWORD);
  await page.getByLabel('再输入一次').fill(NEW_PASSWORD);
  await page.getByRole('button', { name: '保存并进入' }).click();
  await page.getByRole('link', { name: '流程' }).waitFor();
  await page.evaluate(async (graph) => {
    const headers = { 'Content-Type': 'application/json', 'X-Qingniao': '1' };
    const body = JSON.stringify({ graph, name: 'large', began_from: 0 });
    const told = await fetch('/api/v1/flows/large', { method: 'PUT', headers, body });
    if (!told.ok) throw new Error(await told.text());
  }, large());
  const cold = await opened(page);
  const times = [await opened(page), await opened(page), await opened(page)].sort((a, b) => a - b);
  await page.waitForTimeout(1_000);

  const client = await page.context().newCDPSession(page);
  const spent = async () => {
    const { metrics } = await client.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'TaskDuration').value * 1_000;
  };
  await client.send('Performance.enable');
  const box = await page.locator('.flow-canvas').boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + 8);
  await page.mouse.down();
  const frames = [];
  for (let frame = 0; frame < 120; frame += 1) {
    const before = await spent();
    await page.mouse.move(box.x + box.width / 2 + frame, box.y + 8 + frame / 2);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
    frames.push((await spent()) - before);
  }
  await page.mouse.up();
  frames.sort((a, b) => a - b);
  if (argv[3] !== undefined) await page.screenshot({ path: argv[3] });
  const at = (share) => Math.round(frames[Math.floor(frames.length * share)] * 10) / 10;
  const figures = {
    nodes,
    open: times[1],
    cold,
    task_p50: at(0.5),
    task_p99: at(0.985),
    task_max: Math.round(frames.at(-1) * 10) / 10,
  };
  console.log(JSON.stringify(figures));
} finally {
  server.child.kill('SIGKILL');
  await browser.close();
  rmSync(data, { recursive: true, force: true });
}
exit(0);
