import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { isMissing, launchBrowser } from './browser/launch.ts';
import { accessibilityProblems, collectErrors, overflowPixels } from './browser/look.ts';
import { buildPage, builtPage, servePage } from './browser/page-server.ts';
import { patienceMs } from './yard-parts.ts';

const mostKilobytes = 200;
let browser: Browser | { missing: string };
let served: Awaited<ReturnType<typeof servePage>>;

beforeAll(async () => {
  buildPage();
  [browser, served] = await Promise.all([launchBrowser(), servePage()]);
}, 240_000);
afterAll(async () => {
  if (browser && !isMissing(browser)) await browser.close();
  await served?.stop();
});
beforeEach((context) => {
  if (isMissing(browser)) context.skip(`no Chromium: ${browser.missing}`);
});

interface Look {
  width?: number;
  height?: number;
  theme?: 'dark' | 'light';
  motion?: 'reduce' | 'no-preference';
  hash?: string;
  /** As if the recorded mesh had had a pool that nobody serves. */
  hasUnusedPool?: boolean;
  /** As if what was changed had held markup. */
  hasMarkup?: boolean;
}

const unusedPool = JSON.stringify({
  pool: 'unused',
  workers: [],
  slots: 0,
  freeSlots: 0,
  waiting: 0,
  inHand: 0,
  models: [],
  breaker: { phase: 'closed', why: '', sinceMs: 0, untilMs: 0, trips: 0 },
});

const markup = '<img src=x onerror=alert(1)>';

/** Opens the page on demo data; it fails the test if anything goes wrong in it. */
async function withPage(look: Look, use: (page: Page) => Promise<void>): Promise<void> {
  const { width = 1280, height = 800, theme = 'dark', motion = 'reduce', hash = '#demo' } = look;
  const context = await (browser as Browser).newContext({
    viewport: { width, height },
    colorScheme: theme,
    reducedMotion: motion,
  });
  context.setDefaultTimeout(patienceMs);
  try {
    const page = await context.newPage();
    const errors = collectErrors(page);
    await page.route(/recording.*\.js$/, async (route) => {
      const response = await route.fetch();
      let body = await response.text();
      if (look.hasUnusedPool) body = body.replaceAll('pools:[{pool:', `pools:[${unusedPool},{pool:`);
      if (look.hasMarkup) body = body.replaceAll('True when any two of the meetings', markup);
      await route.fulfill({ response, body });
    });
    await page.goto(served.url + hash);
    await page.getByRole('grid', { name: 'Tasks' }).waitFor();
    await use(page);
    expect(errors).toEqual([]);
  } finally {
    await context.close();
  }
}

const openTask = async (page: Page) => {
  await page.getByRole('grid', { name: 'Tasks' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('treegrid').waitFor();
};
const focused = (page: Page) =>
  page.evaluate('document.activeElement.getAttribute("role") ?? document.activeElement.tagName');
/** From part to part by Tab, as somebody without a mouse gets there. */
async function tabTo(page: Page, role: string): Promise<void> {
  for (let steps = 0; steps < 40; steps += 1) {
    if ((await focused(page)) === role) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`the keyboard does not get to the ${role}`);
}
const valueOf = async (page: Page) => Number(await page.getByRole('slider').getAttribute('aria-valuenow'));
const activeText = async (page: Page, role: 'treegrid' | 'grid') => {
  const id = await page.getByRole(role).getAttribute('aria-activedescendant');
  return (await page.locator(`#${id}`).textContent()) ?? '';
};

/** Whether the keyboard's row is within the window and the list that scrolls it. */
const isActiveInSight = `(() => {
  const list = document.querySelector('[role=grid]');
  const row = document.getElementById(list.getAttribute('aria-activedescendant')).getBoundingClientRect();
  const seen = list.getBoundingClientRect();
  return row.top >= Math.max(0, seen.top) && row.bottom <= Math.min(innerHeight, seen.bottom);
})()`;

test(`page: what is loaded first stays below ${mostKilobytes} KB`, () => {
  const index = join(builtPage, 'index.html');
  const named = readFileSync(index, 'utf8');
  // What the page names itself, and what connects it; the recording and the colours of code come when they are needed.
  const assets = readdirSync(join(builtPage, 'assets')).filter(
    (one) => named.includes(one) || one.startsWith('live'),
  );
  const first = [index, ...assets.map((one) => join(builtPage, 'assets', one))];
  const kilobytes = first.reduce((sum, file) => sum + gzipSync(readFileSync(file)).length, 0) / 1000;
  expect(first.length).toBeGreaterThan(3);
  expect(kilobytes).toBeLessThan(mostKilobytes);
});

test('page: demo data leads through every view, and says on each that it is demo data', () =>
  withPage({ height: 1900, hasMarkup: true }, async (page) => {
    const ribbon = page.getByText('Demo data.');
    await page.getByText('scripted', { exact: true }).first().waitFor();
    await page.getByText('1/2').first().waitFor();
    await openTask(page);
    expect(await ribbon.isVisible()).toBe(true);
    const tree = page.getByRole('treegrid');
    for (const word of ['crashed', 'resumed', 'denied', 'changes asked'])
      await tree.getByText(word, { exact: true }).first().waitFor();
    await page.getByTestId('take-over').getByText('coder died during edit-file').waitFor();
    // A step and what went in and out.
    await tree.getByText('found done after a restart').click();
    const detail = page.getByRole('region', { name: 'What is selected' });
    await detail.getByText('coder.').first().waitFor();
    await detail.getByRole('group', { name: 'Change, line by line' }).waitFor();
    await detail.getByText('run.taken_over', { exact: true }).click();
    await detail.getByText('"specversion": "1.0"').first().waitFor();
    await page.getByRole('tab', { name: 'Router' }).click();
    await page.getByText('confidence').first().waitFor();
    await page.getByText('slots free').first().waitFor();
    await page.getByRole('tab', { name: 'Conversation' }).click();
    await page
      .getByRole('row', { name: /reviewer to manager/ })
      .first()
      .click();
    await page.getByRole('region', { name: 'The message' }).getByText('"verdict": "changes"').waitFor();
    await page.getByRole('tab', { name: 'Change' }).click();
    await page.getByText('before: 9/11 tests pass').waitFor();
    await page.getByText('after: 11/11 tests pass').waitFor();
    // Code has colours, and is text whatever it holds.
    const change = page.getByRole('group', { name: 'Change, line by line' }).last();
    await change.locator('.code-keyword', { hasText: 'return' }).first().waitFor();
    await change.getByText(markup).first().waitFor();
    expect(await page.locator('img').count()).toBe(0);
    expect(await ribbon.isVisible()).toBe(true);
    await page.getByRole('link', { name: 'Mesh' }).click();
    await page.getByRole('heading', { name: 'Pool scripted' }).waitFor();
    expect(await page.getByRole('row').count()).toBeGreaterThan(6);
    await page.getByText('The recorded run had none.').waitFor();
    expect(await ribbon.isVisible()).toBe(true);
    // One of the recorded processes had been killed just before the last sample.
    await page
      .getByRole('row', { name: /^coder/ })
      .getByText('late', { exact: true })
      .waitFor();
    // A reload is still the demo.
    await page.reload();
    await page.getByRole('heading', { name: 'Pool scripted' }).waitFor();
  }));

test('page: the recording plays by itself, and stands still where motion is unwanted', async () => {
  await withPage({ motion: 'no-preference' }, async (page) => {
    const now = page.getByTestId('now').first();
    const seen = new Set<string>();
    await expect
      .poll(async () => seen.add((await now.textContent()) ?? '').size, { interval: 50 })
      .toBeGreaterThan(3);
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('button', { name: 'Play' }).waitFor();
  });
  await withPage({ motion: 'reduce' }, async (page) => {
    await page.getByRole('button', { name: 'Play' }).waitFor();
    await page.getByText('completed').first().waitFor();
  });
});

test('page: everything is reached by the keyboard alone, and focus comes back', () =>
  withPage({ height: 1000 }, async (page) => {
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toContain('Skip');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('main');
    await tabTo(page, 'grid');
    await page.keyboard.press('Enter');
    await page.getByRole('treegrid').waitFor();
    expect(await focused(page)).toBe('H1');
    await tabTo(page, 'treegrid');
    await page.keyboard.press('Home');
    expect(await activeText(page, 'treegrid')).toContain('accepted');
    await page.keyboard.press('ArrowDown');
    const run = page.getByRole('row', { expanded: true }).first();
    await page.keyboard.press('ArrowLeft');
    await page.getByRole('row', { expanded: false }).waitFor();
    await page.keyboard.press('ArrowRight');
    await run.waitFor();
    await page.keyboard.press('ArrowRight');
    expect(await activeText(page, 'treegrid')).toContain('coder →');
    await page.keyboard.press('ArrowLeft');
    expect(await activeText(page, 'treegrid')).toMatch(/coder.*scripted/);
    await page.keyboard.press('End');
    expect(await activeText(page, 'treegrid')).toContain('completed');
    await page.keyboard.press('Enter');
    await page.getByText('kept in view').waitFor();
    // The scrubber.
    const slider = page.getByRole('slider');
    await slider.focus();
    await page.keyboard.press('Home');
    expect(await valueOf(page)).toBe(1);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('PageUp');
    expect(await valueOf(page)).toBe(12);
    expect(await slider.getAttribute('aria-valuetext')).toContain('event 12 of 56, run.stepped');
    await page.keyboard.press('f');
    expect(await slider.getAttribute('aria-valuetext')).toContain('run.taken_over');
    await page.keyboard.press('Shift+F');
    expect(await slider.getAttribute('aria-valuetext')).toContain('task.revision_requested');
    await page.keyboard.press('End');
    expect(await valueOf(page)).toBe(56);
    // A dialog gives the focus back to what opened it.
    const settings = page.getByRole('button', { name: 'Settings' });
    await settings.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Settings' }).waitFor();
    await page.getByLabel('All events').check();
    await page.keyboard.press('Escape');
    expect(await page.evaluate('document.activeElement.textContent')).toContain('Settings');
    // Tabs by arrows, with the panel that a flag has added.
    await page.getByRole('tab', { name: 'Steps' }).focus();
    for (const tab of ['Conversation', 'Router', 'Change', 'All events']) {
      await page.keyboard.press('ArrowRight');
      await page.getByRole('tab', { name: tab, selected: true }).waitFor();
    }
    await page.getByRole('grid', { name: 'All events' }).getByText('task.completed').waitFor();
  }));

test('page: who comes back to the list finds it as it was left, with the keyboard on its row', () =>
  withPage({ hash: '#demo=300', width: 360, height: 700 }, async (page) => {
    const list = page.getByRole('grid', { name: 'Tasks' });
    await page.getByLabel('State').selectOption('running');
    await page.getByLabel('Text in goal').fill('longer goal');
    const shown = page.getByText(/^\d+ of 302 tasks$/);
    await shown.waitFor();
    const count = await shown.textContent();
    await tabTo(page, 'grid');
    for (const key of ['End', 'ArrowUp', 'ArrowUp', 'Enter']) await page.keyboard.press(key);
    await page.getByRole('heading', { level: 1, name: 'longer goal' }).waitFor();
    const goal = (await page.getByRole('heading', { level: 1 }).textContent())!;
    expect(await focused(page)).toBe('H1');
    await page.goBack();
    await list.waitFor();
    expect(await focused(page)).toBe('grid');
    expect(await activeText(page, 'grid')).toContain(goal);
    expect(await page.getByLabel('Text in goal').inputValue()).toBe('longer goal');
    expect(await page.getByText(/^\d+ of 302 tasks$/).textContent()).toBe(count);
    expect(await page.evaluate(isActiveInSight)).toBe(true);
    // To another view and back is no other way.
    await page.getByRole('link', { name: 'Mesh' }).press('Enter');
    // The link says the same as the title: only the title is there once the view is.
    await expect.poll(() => focused(page)).toBe('H1');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Mesh');
    await page.getByRole('link', { name: 'Tasks', exact: true }).press('Enter');
    await expect.poll(() => focused(page)).toBe('grid');
    expect(await activeText(page, 'grid')).toContain(goal);
  }));

test.each([
  [1280, 'dark'],
  [1280, 'light'],
  [360, 'dark'],
  [360, 'light'],
] as const)('page: at %i px and %s nothing stands in the way of anybody', (width, theme) =>
  withPage({ width, theme, hasUnusedPool: true }, async (page) => {
    const problems: string[] = [];
    const look = async (where: string) => {
      problems.push(...(await accessibilityProblems(page)).map((one) => `${where}: ${one}`));
      if ((await overflowPixels(page)) > 0) problems.push(`${where}: wider than the window`);
    };
    await look('tasks');
    await openTask(page);
    await page.getByRole('slider').focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('f');
    await look('task');
    if (width < 1000) {
      await page.getByRole('treegrid').focus();
      await page.keyboard.press('End');
      await page.keyboard.press('Enter');
      const dialog = page.getByRole('dialog', { name: 'What is selected' });
      await dialog.waitFor();
      await look('step');
      await page.keyboard.press('Escape');
      expect(await page.evaluate('document.activeElement.getAttribute("role")')).toBe('treegrid');
    }
    await page.getByRole('slider').press('End');
    for (const tab of ['Conversation', 'Router', 'Change']) {
      await page.getByRole('tab', { name: tab }).click();
      if (tab === 'Change') await page.locator('.code-comment').first().waitFor();
      await look(tab);
    }
    await page.getByRole('link', { name: 'Mesh' }).click();
    await page.getByRole('heading', { name: 'Pool scripted' }).waitFor();
    const unused = page.getByRole('article').filter({ hasText: 'Pool unused' });
    await unused.getByText('no worker', { exact: true }).waitFor();
    await look('mesh');
    await page.getByRole('button', { name: 'Settings' }).click();
    await look('settings');
    expect(problems).toEqual([]);
  }),
);

test.each(['dark', 'light'] as const)(
  'page: a task that failed says why, and how it is tried again, in the %s',
  (theme) =>
    withPage({ theme }, async (page) => {
      await page.getByLabel('State').selectOption('failed');
      await openTask(page);
      await page
        .getByText('no review cycle is left. To try it again: ./switchyard submit --repo .')
        .waitFor();
      expect(await accessibilityProblems(page)).toEqual([]);
    }),
);

test('page: thousands of tasks and of steps are a few rows at a time', () =>
  withPage({ hash: '#demo=5000' }, async (page) => {
    const list = page.getByRole('grid', { name: 'Tasks' });
    await expect.poll(() => list.getAttribute('aria-rowcount')).toBe('5003');
    expect(await page.getByRole('row').count()).toBeLessThan(80);
    await page.getByLabel('State').selectOption('paused');
    await page.getByLabel('Role at work').selectOption('planner');
    await page.getByLabel('Text in goal').fill('made-up TASK');
    const filtered = page.getByText(/^\d+ of 5002 tasks$/);
    await filtered.waitFor();
    const count = Number((await filtered.textContent())!.split(' ')[0]);
    expect(await list.getAttribute('aria-rowcount')).toBe(String(count + 1));
    await page.getByLabel('Text in goal').fill('nothing has this');
    await page.getByRole('button', { name: 'Show all 5002 tasks' }).click();
    await page.getByLabel('Text in goal').fill('of 5000 steps');
    await page.getByText('1 of 5002 tasks').waitFor();
    await openTask(page);
    const tree = page.getByRole('treegrid');
    await expect.poll(async () => Number(await tree.getAttribute('aria-rowcount'))).toBeGreaterThan(5000);
    expect(await page.getByRole('row').count()).toBeLessThan(120);
    await tree.focus();
    await page.keyboard.press('End');
    expect(await activeText(page, 'treegrid')).toContain('completed');
    await page.keyboard.press('Home');
    expect(await activeText(page, 'treegrid')).toContain('accepted');
    // What the keyboard is on stays readable when it is scrolled far away.
    await tree.evaluate((one) => ((one as unknown as { scrollTop: number }).scrollTop = 90_000));
    await page.getByText('crashed').first().waitFor();
    expect(await activeText(page, 'treegrid')).toContain('accepted');
  }));
