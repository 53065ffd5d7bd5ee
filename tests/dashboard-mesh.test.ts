import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { freshLink } from '../cli/observer.ts';
import { isMissing, launchBrowser } from './browser/launch.ts';
import { accessibilityProblems, collectErrors } from './browser/look.ts';
import { buildPage } from './browser/page-server.ts';
import { slotsExample, slotsScript, slotsTest } from './scenes.ts';
import { openYard, type Yard } from './yard.ts';

const limitMs = 30_000;
let browser: Browser | { missing: string };
let yard: Yard | undefined;

beforeAll(async () => {
  buildPage();
  browser = await launchBrowser();
  if (isMissing(browser)) return;
  yard = await openYard({
    script: slotsScript(),
    hasPage: true,
    processes: { manager: 1, router: 1, inference: 1, coder: 1, reviewer: 1 },
  });
  await yard.startObserver();
}, 240_000);
afterAll(async () => {
  if (browser && !isMissing(browser)) await browser.close();
  await yard?.stop();
}, 30_000);
beforeEach((context) => {
  if (isMissing(browser)) context.skip(`no Chromium: ${browser.missing}`);
});

/** Opens the page by a link of its own. What its console says of a broken connection is no error here. */
async function openPage(): Promise<{ page: Page; errors: string[]; close(): Promise<void> }> {
  const context = await (browser as Browser).newContext({
    viewport: { width: 1280, height: 1600 },
    colorScheme: 'dark',
  });
  context.setDefaultTimeout(limitMs);
  const page = await context.newPage();
  const errors = collectErrors(page);
  await page.goto(await freshLink(yard!.stateDirectory, yard!.pagePort));
  await isLive(page);
  return { page, errors, close: () => context.close() };
}

const isLive = (page: Page) => page.locator('[data-link=live]').waitFor();

async function submitSlots(goal: string): Promise<string> {
  const repository = yard!.makeRepository(goal.replaceAll(/\W/g, '-'), join(slotsExample, 'repository'));
  return yard!.submit({ repository, test: slotsTest, goal, plan: 'single' });
}

/** How many events the page has of the task that it shows. */
const eventsShown = async (page: Page) =>
  Number(await page.getByRole('slider').getAttribute('aria-valuemax'));

test('page of a mesh: without the link nothing is told, and the link leaves the address', async () => {
  const context = await (browser as Browser).newContext();
  const page = await context.newPage();
  const asked: string[] = [];
  page.on('websocket', (socket) => asked.push(socket.url()));
  await page.goto(`http://127.0.0.1:${yard!.pagePort}/`);
  await page.getByRole('alert').getByText('Not let in').waitFor({ timeout: limitMs });
  expect(asked).toEqual([]);
  await context.close();

  const { page: let_in, close } = await openPage();
  expect(let_in.url()).not.toContain('token');
  // A reload needs no other link, and an empty mesh says what to do.
  await let_in.getByText('./switchyard fix').waitFor();
  await let_in.reload();
  await isLive(let_in);
  await close();
}, 60_000);

test('page of a mesh: a task appears, is followed to its end, and is found by filters', async () => {
  const { page, errors, close } = await openPage();
  const taskId = await submitSlots('First of two');
  await page.getByRole('heading', { name: 'First of two' }).waitFor();
  await page.getByRole('heading', { name: 'First of two' }).getByRole('link').click();
  await page.getByRole('treegrid').waitFor();
  expect(await yard!.ended(taskId, limitMs)).toBe('task.completed');
  await page.getByText('completed').first().waitFor();
  const recorded = await yard!.events(taskId);
  await expect.poll(() => eventsShown(page), { timeout: limitMs }).toBe(recorded.length);
  await page.getByRole('treegrid').getByText('changes asked').first().waitFor();
  expect(await accessibilityProblems(page)).toEqual([]);

  const other = await submitSlots('Second of two');
  await yard!.ended(other, limitMs);
  await page.getByRole('link', { name: 'Switchyard, all tasks' }).click();
  await page.getByText('2 tasks').waitFor();
  await page.getByLabel('Text in goal').fill('first');
  await page.getByText('1 of 2 tasks').waitFor();
  await page.getByLabel('State').selectOption('failed');
  await page.getByText('No task fits').waitFor();
  await page.getByRole('button', { name: 'Show all 2 tasks' }).click();
  await page.getByLabel('State').selectOption('completed');
  await page.getByLabel('Role at work').selectOption('reviewer');
  await page.getByLabel('Model').selectOption({ index: 1 });
  await page.getByText('2 tasks').waitFor();

  await page.getByRole('link', { name: 'Mesh' }).click();
  await page
    .getByRole('row', { name: /reviewer/ })
    .first()
    .waitFor();
  await page.getByRole('heading', { name: 'Dead letters' }).waitFor();
  expect(errors).toEqual([]);
  await close();
}, 120_000);

test('page of a mesh: a broker that is killed is said to be gone, and what happened meanwhile is neither missed nor twice', async () => {
  const { page, close } = await openPage();
  const taskId = await submitSlots('Over a break');
  await page.getByRole('heading', { name: 'Over a break' }).getByRole('link').click();
  await page.getByRole('treegrid').waitFor();
  await expect.poll(() => eventsShown(page).catch(() => 0), { timeout: limitMs }).toBeGreaterThan(5);
  await yard!.killBroker();
  await page.getByRole('alert').getByText('Connection lost').waitFor();
  // What was known is still shown.
  expect(await eventsShown(page)).toBeGreaterThan(5);
  await yard!.startBroker();
  await isLive(page);
  expect(await page.getByRole('alert').count()).toBe(0);
  expect(await yard!.ended(taskId, 60_000)).toBe('task.completed');
  const recorded = await yard!.events(taskId);
  await expect.poll(() => eventsShown(page), { timeout: limitMs }).toBe(recorded.length);
  await page.getByText('completed').first().waitFor();
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByLabel('All events').check();
  await page.keyboard.press('Escape');
  await page.getByRole('tab', { name: 'All events' }).click();
  const shown = await page
    .getByRole('grid', { name: 'All events' })
    .getByRole('row')
    .evaluateAll((rows) =>
      (rows as unknown as { ariaRowIndex: string; firstElementChild: { textContent: string } }[]).map(
        (row) => [Number(row.ariaRowIndex), Number(row.firstElementChild.textContent)] as const,
      ),
    );
  // Only rows in sight are drawn; each stands where the record has it.
  expect(shown.length).toBeGreaterThan(10);
  for (const [row, sequence] of shown) expect(recorded[row - 1]!.sequence).toBe(sequence);
  await close();
}, 150_000);
