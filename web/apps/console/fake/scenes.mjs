/** Every screen and state worth looking at, each with the steps that lead there. */
import { Kind } from '@qingniao/protocol/frames';

const phone = { width: 390, height: 844, scale: 2 };

/** The visitor types and the bot writes, at once. */
const busy = async ({ page, link }) => {
  await page.waitForSelector('.bubble');
  link.push({
    kind: Kind.TYPING,
    conversation: 1041,
    on: true,
    preview: '退款是原路返回吗',
    sender: 'v',
  });
  link.push({
    kind: Kind.TYPING,
    conversation: 1038,
    on: true,
    preview: '发票抬头改成…',
    sender: 'v',
  });
};

const draft = async ({ page, link }) => {
  await page.waitForSelector('.bubble, .card');
  link.push({
    kind: Kind.DELTA,
    conversation: 1047,
    draft: 1,
    offset: 0,
    text: 'The XL in navy is available now, and ships ',
  });
};

const states = async ({ page }) => {
  const field = page.locator('.composer textarea');
  for (const text of ['好的,马上为您处理。', '拒收', '慢']) {
    await field.fill(text);
    await field.press('Enter');
    await page.waitForTimeout(150);
  }
};

const scrolledUp = async ({ page, link }) => {
  await page.waitForSelector('.bubble');
  await page.locator('.transcript').evaluate((box) => box.scrollTo({ top: 600 }));
  await page.waitForTimeout(200);
  link.say(1041, '在吗?');
  link.say(1041, '我还有一个问题');
};

/** Reading upwards: page after page comes in above, and what is being read stays where it is. */
const paging = async ({ page }) => {
  const box = page.locator('.transcript');
  await page.waitForSelector('.bubble');
  for (let i = 0; i < 4; i += 1) {
    await box.evaluate((element) => element.scrollTo({ top: 420 }));
    await page.waitForTimeout(100);
    const before = await box.evaluate((element) => element.scrollHeight - element.scrollTop);
    await box.evaluate((element) => element.scrollTo({ top: 390 }));
    await page.waitForTimeout(400);
    const after = await box.evaluate((element) => element.scrollHeight - element.scrollTop);
    if (Math.abs(after - before - 30) > 2)
      throw new Error(`the page jumped by ${after - before - 30} px`);
  }
};

const wrong = async ({ page }) => {
  await page.getByLabel('账号').fill('zhouning');
  await page.getByLabel('密码', { exact: true }).fill('nonono');
  await page.keyboard.press('Enter');
};

const tooMany = async (stage) => {
  stage.house.tries = 3;
  await wrong(stage);
};

const created = async ({ page }) => {
  await page.getByRole('button', { name: '添加成员' }).click();
  await page.getByLabel('姓名').fill('苏木');
  await page.getByLabel('账号').fill('sumu');
  await page.getByRole('button', { name: '创建' }).click();
  await page.waitForSelector('.created');
};

const teamOpened = async ({ page }) => {
  await page.getByRole('button', { name: /售后组/ }).click();
  await page.waitForSelector('.teams-member');
};

const teamDeleting = async (stage) => {
  await teamOpened(stage);
  await stage.page.getByRole('button', { name: /删除小组|Delete team/ }).click();
};

const teamTaken = async ({ page }) => {
  await page.getByRole('button', { name: '添加小组' }).click();
  await page.getByLabel('名称').fill('售后组');
  await page.locator('.teams-member input').nth(1).check();
  await page.locator('.gate-form button[type=submit]').click();
  await page.waitForSelector('.field-fault');
};

const teamDeleted = async (stage) => {
  await teamDeleting(stage);
  await stage.page.getByRole('button', { name: /确定删除/ }).click();
  await stage.page.waitForSelector('.teams-member', { state: 'detached' });
};

const withoutTeams = async ({ page, house }) => {
  house.teams = [];
  await page.reload();
  await page.waitForSelector('.teams .blank');
};

const imported = async ({ page }) => {
  await page.setInputFiles('input[type=file]', {
    name: 'k.csv',
    mimeType: 'text/csv',
    buffer: Buffer.from('question,answer\n'),
  });
  await page.waitForSelector('.imported');
  await page.locator('.knowledge-entry summary').first().click();
};

/** Somebody points at the list while others write: nothing moves, the new one waits above. */
const held = async ({ page, link, house }) => {
  const row = page.locator('.row[data-id="1041"]');
  const box = await row.boundingBox();
  await page.mouse.move(box.x + 100, box.y + 40);
  link.say(1003, '我又来了');
  house.talks.set(3001, { ...house.talks.get(1053), id: 3001, entries: [], n: new Map() });
  link.say(3001, '新来的访客');
  await page.waitForTimeout(400);
  const after = await row.boundingBox();
  if (after.y !== box.y) throw new Error('a row moved under the pointer');
};

const note = async ({ page }) => {
  await page.waitForSelector('.composer');
  await page.keyboard.press('n');
  await page.locator('.composer textarea').fill('她赶时间,优先处理取件。');
};

const uploads = async ({ page }) => {
  await page.setInputFiles('.composer input[type=file]', {
    name: '取件说明.png',
    mimeType: 'image/png',
    buffer: Buffer.from('x'),
  });
  await page.locator('.composer textarea').fill('这是取件说明,请查收。');
};

const closedToast = async ({ page }) => {
  await page.waitForSelector('.composer textarea');
  await page.locator('body').press('e');
};

/** Out by the button, in again, out because the session ended elsewhere. */
const outAndIn = async ({ page, house }) => {
  const login = page.getByLabel('账号', { exact: true }).and(page.locator('input'));
  await page.getByRole('button', { name: '退出登录' }).click();
  await login.fill('zhouning');
  await page.getByLabel('密码', { exact: true }).fill('open sesame 9');
  await page.keyboard.press('Enter');
  await page.getByRole('link', { name: /会话/ }).click();
  await page.waitForSelector('.row');
  house.user = null;
  await page.locator('.search input').fill('林');
  await login.waitFor();
};

const at = async (page, path) => {
  await page.waitForURL((url) => url.pathname + url.search === `/console/${path}`, {
    timeout: 3_000,
  });
};

/** A minute of work without the mouse: down the queue, take, note, reply, close, undo, help. */
const byKeys = async ({ page }) => {
  await page.waitForSelector('.row');
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
    await page.waitForTimeout(250);
  };
  await press('j');
  await at(page, 'c/1052?view=waiting');
  await press('j');
  await at(page, 'c/1053?view=waiting');
  await press('k', 't');
  await at(page, 'c/1052');
  await press('n');
  await page.keyboard.type('j 是字母');
  await press('Enter');
  await page.waitForSelector('.card-note');
  await press('Escape', 'e');
  await page.getByRole('button', { name: '撤销' }).click();
  await page.getByRole('button', { name: '结束会话' }).waitFor();
  await page.locator('body').press('?');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('?');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  await press('/');
  await page.keyboard.type('林');
  await page.waitForTimeout(400);
};

/** List, conversation, visitor and back again with the browser's own button. */
const thereAndBack = async ({ page }) => {
  await page.locator('.row').first().click();
  await at(page, 'c/1041');
  await page.getByRole('button', { name: '访客资料' }).click();
  await at(page, 'c/1041/visitor');
  await page.getByRole('button', { name: '关闭' }).click();
  await at(page, 'c/1041');
  await page.getByRole('button', { name: '返回' }).click();
  await at(page, '');
};

const password = async ({ page }) => {
  await page.getByLabel('新密码').fill('山雀飞过山 2026');
};

const lost = async ({ page, socket }) => {
  await page.waitForSelector('.bubble');
  await page.route('**/session/ticket', (route) => route.abort());
  await socket.close({ code: 3001 });
  await page.waitForTimeout(1_800);
};

const botByApp = async ({ page }) => {
  await page.getByText('OAuth 应用', { exact: true }).click();
  await page.getByLabel('名称').fill('分流员');
  await page.getByLabel('私钥').fill('-----BEGIN PRIVATE KEY-----\nMIIEvQ');
  await page.getByRole('button', { name: '保存草稿' }).click();
};

const botRules = async ({ page }) => {
  await page.getByText('使用规则').click();
  await page.getByText('更多设置').click();
  await page.getByRole('button', { name: '看看改了什么' }).click();
  await page.getByLabel('整个回答最多等').scrollIntoViewIfNeeded();
};

const botRefused = async ({ page }) => {
  await page.getByLabel('接口地址').fill('https://dify.example.com/v1');
  await page.getByLabel('密钥', { exact: true }).fill('sk-not-a-dify-key');
  await page.getByRole('button', { name: '保存草稿' }).click();
  await page.getByText('这不是一个能读懂的地址').waitFor();
};

const botMoved = async ({ page }) => {
  await page.getByLabel('接口地址').fill('http://dify.example.com');
};

const botAsked = async ({ page }) => {
  await page.getByRole('textbox', { name: '问题' }).fill('大衣穿了两次起球了，能换吗');
  await page.keyboard.press('Enter');
  await page.getByText('回答被长度上限截断了').waitFor();
};

/** From the list to a bot, into its form and back, without the mouse. */
const botByKeys = async ({ page }) => {
  await page.getByRole('link', { name: /售前顾问/ }).focus();
  await page.keyboard.press('Enter');
  await at(page, 'bots/bot/advisor');
  await page.getByLabel('名称').focus();
  await page.keyboard.press('Control+A');
  await page.keyboard.type('改过的名字');
  await page.getByRole('button', { name: '保存草稿' }).waitFor();
  await page.getByRole('button', { name: '删除机器人' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
};

export const scenes = [
  { name: 'sign-in', user: null },
  { name: 'sign-in-dark-en', user: null, locale: 'en', dark: true },
  { name: 'sign-in-phone', user: null, ...phone },
  { name: 'sign-in-wrong', user: null, act: wrong },
  { name: 'sign-in-too-many', user: null, act: tooMany },
  { name: 'sign-in-again', path: 'settings', act: outAndIn },
  { name: 'password', mustChange: true, act: password },
  { name: 'password-phone', mustChange: true, ...phone },
  { name: 'inbox-mine' },
  { name: 'inbox-waiting', path: '?view=waiting' },
  { name: 'inbox-all', path: '?view=all' },
  { name: 'inbox-all-dark-en', path: '?view=all', dark: true, locale: 'en' },
  { name: 'inbox-held', path: '?view=all', act: held },
  { name: 'inbox-empty', empty: true },
  { name: 'inbox-empty-all', empty: true, path: '?view=all' },
  {
    name: 'inbox-search-none',
    path: '?view=all',
    act: ({ page }) => page.locator('.search input').fill('没有这个人'),
  },
  { name: 'inbox-loading', stall: ['/conversations'] },
  { name: 'inbox-error', break: ['/conversations'] },
  { name: 'inbox-crowd', path: '?view=all', crowd: 10_000 },
  { name: 'inbox-phone', ...phone },
  { name: 'inbox-phone-all', ...phone, path: '?view=all' },
  { name: 'inbox-phone-dark', ...phone, path: '?view=all', dark: true },
  { name: 'chat-mine', path: 'c/1041', act: busy },
  { name: 'chat-mine-dark', path: 'c/1041', dark: true, act: busy },
  { name: 'chat-mine-en', path: 'c/1041', locale: 'en' },
  {
    name: 'chat-top',
    path: 'c/1041',
    act: ({ page }) => page.locator('.transcript').evaluate((box) => box.scrollTo({ top: 0 })),
  },
  {
    name: 'chat-steps',
    path: 'c/1041',
    act: async ({ page }) => {
      await page.locator('.steps summary').nth(1).click();
      await page.locator('.cite').nth(1).click();
    },
  },
  { name: 'chat-states', path: 'c/1041', act: states },
  { name: 'chat-scrolled', path: 'c/1041', long: 300, act: scrolledUp },
  { name: 'chat-paging', path: 'c/1041', long: 300, act: paging },
  { name: 'chat-note', path: 'c/1041', act: note },
  { name: 'chat-uploads', path: 'c/1041', act: uploads },
  { name: 'chat-closed-toast', path: 'c/1041', act: closedToast },
  { name: 'chat-waiting', path: 'c/1052?view=waiting' },
  { name: 'chat-bot-draft', path: 'c/1047?view=all', act: draft },
  { name: 'chat-other', path: 'c/1029?view=all' },
  { name: 'chat-closed', path: 'c/1003?view=all' },
  { name: 'chat-not-found', path: 'c/99999' },
  { name: 'chat-error', path: 'c/1041', break: ['/conversations'] },
  { name: 'chat-offline', path: 'c/1041', act: lost },
  { name: 'chat-medium', path: 'c/1041', width: 1024, height: 768 },
  { name: 'chat-phone', ...phone, path: 'c/1041', act: busy },
  { name: 'chat-phone-dark', ...phone, path: 'c/1041', dark: true },
  { name: 'chat-phone-waiting', ...phone, path: 'c/1052?view=waiting' },
  { name: 'chat-phone-other', ...phone, path: 'c/1029?view=all' },
  { name: 'chat-phone-en', ...phone, path: 'c/1041', locale: 'en' },
  { name: 'inbox-phone-en', ...phone, path: '?view=waiting', locale: 'en' },
  { name: 'keyboard', path: '?view=waiting', act: byKeys },
  { name: 'phone-there-and-back', ...phone, act: thereAndBack },
  { name: 'panel-phone', ...phone, path: 'c/1041/visitor' },
  {
    name: 'panel-edit',
    path: 'c/1041',
    act: ({ page }) => page.getByRole('button', { name: /修改电话/ }).click(),
  },
  { name: 'keys', path: 'c/1041', act: ({ page }) => page.locator('body').press('?') },
  {
    name: 'keys-dark-en',
    path: 'c/1041',
    dark: true,
    locale: 'en',
    act: ({ page }) => page.locator('body').press('?'),
  },
  { name: 'knowledge', path: 'knowledge', user: 'admin', act: imported },
  { name: 'knowledge-dark-en', path: 'knowledge', locale: 'en', dark: true },
  { name: 'knowledge-phone', path: 'knowledge', ...phone },
  { name: 'team', path: 'team', user: 'admin' },
  { name: 'team-created', path: 'team', user: 'admin', act: created },
  { name: 'team-phone', path: 'team', user: 'admin', ...phone },
  { name: 'team-no-permission', path: 'team' },
  { name: 'teams-edit', path: 'team', user: 'admin', act: teamOpened },
  { name: 'teams-edit-phone', path: 'team', user: 'admin', act: teamOpened, ...phone },
  { name: 'teams-taken', path: 'team', user: 'admin', act: teamTaken },
  {
    name: 'teams-deleting',
    path: 'team',
    user: 'admin',
    act: teamDeleting,
    locale: 'en',
    dark: true,
  },
  { name: 'teams-deleted-phone', path: 'team', user: 'admin', act: teamDeleted, ...phone },
  { name: 'teams-empty', path: 'team', user: 'admin', act: withoutTeams },
  { name: 'teams-empty-phone', path: 'team', user: 'admin', act: withoutTeams, ...phone },
  { name: 'teams-phone-en', path: 'team', user: 'admin', locale: 'en', dark: true, ...phone },
  { name: 'teams-chat', path: 'c/1052?view=waiting' },
  { name: 'bots', path: 'bots', user: 'admin' },
  { name: 'bots-phone-en', path: 'bots', user: 'admin', locale: 'en', ...phone },
  { name: 'bots-medium', path: 'bots', user: 'admin', width: 860, height: 900 },
  { name: 'bots-loading', path: 'bots', user: 'admin', stall: ['/bots'] },
  { name: 'bots-error', path: 'bots', user: 'admin', break: ['/bots'] },
  { name: 'bots-no-permission', path: 'bots' },
  { name: 'bots-new', path: 'bots/new', user: 'admin' },
  { name: 'bots-new-coze', path: 'bots/new/coze', user: 'admin', act: botByApp, height: 1300 },
  { name: 'bots-new-coze-phone', path: 'bots/new/coze', user: 'admin', act: botByApp, ...phone },
  { name: 'bots-one', path: 'bots/bot/advisor', user: 'admin', height: 1500 },
  { name: 'bots-one-rules', path: 'bots/bot/long', user: 'admin', act: botRules, height: 2200 },
  { name: 'bots-one-rules-phone', path: 'bots/bot/long', user: 'admin', act: botRules, ...phone },
  { name: 'bots-one-refused', path: 'bots/bot/long', user: 'admin', act: botRefused, height: 1700 },
  { name: 'bots-one-moved', path: 'bots/bot/long', user: 'admin', act: botMoved, height: 1500 },
  { name: 'bots-one-missing', path: 'bots/bot/nobody', user: 'admin' },
  { name: 'bots-house', path: 'bots/bot/local', user: 'admin' },
  { name: 'bots-house-phone-dark', path: 'bots/bot/local', user: 'admin', dark: true, ...phone },
  { name: 'bots-try', path: 'bots/try/advisor', user: 'admin' },
  { name: 'bots-try-asked', path: 'bots/try/advisor', user: 'admin', act: botAsked },
  {
    name: 'bots-try-asked-phone-dark',
    path: 'bots/try/advisor',
    user: 'admin',
    act: botAsked,
    dark: true,
    ...phone,
  },
  { name: 'bots-by-keys', path: 'bots', user: 'admin', act: botByKeys },
  { name: 'settings', path: 'settings' },
  { name: 'settings-dark-en', path: 'settings', dark: true, locale: 'en' },
  { name: 'settings-phone-en', path: 'settings', ...phone, locale: 'en', dark: true },
  { name: 'team-created-phone', path: 'team', user: 'admin', act: created, ...phone },
  { name: 'settings-phone', path: 'settings', ...phone },
];
