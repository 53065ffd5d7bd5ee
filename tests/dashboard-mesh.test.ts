import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { freshLink } from '../cli/observer.ts';
import { isMissing, launchBrowser } from './browser/launch.ts';
import { accessibilityProblems, collectErrors, overflowPixels } from './browser/look.ts';
import { buildPage } from './browser/page-server.ts';
import { startOpenAiServer, type OpenAiServer } from './openai-server.ts';
import { slotsExample, slotsScript, slotsTest } from './scenes.ts';
import { eventually, patienceMs } from './yard-parts.ts';
import { openYard, type Yard } from './yard.ts';

let browser: Browser | { missing: string };
let yard: Yard | undefined;
let models: OpenAiServer | undefined;
/** A reply that takes its time: a piece each 80 ms, for a minute if nobody calls it off. */
const longReply = Array.from({ length: 700 }, (_, index) => `word${index} `).join('');

beforeAll(async () => {
  buildPage();
  browser = await launchBrowser();
  if (isMissing(browser)) return;
  models = await startOpenAiServer({
    behave: () => ({ kind: 'reply', content: longReply, pieceDelayMs: 80 }),
  });
  const slow = { backend: 'openai' as const, model: 'slow', pool: 'scripted', url: models.url };
  yard = await openYard({
    overrides: { models: { slow } },
    script: slotsScript(),
    hasPage: true,
    processes: { manager: 1, router: 1, inference: 1, coder: 1, reviewer: 1 },
  });
  await yard.startObserver();
}, 240_000);
afterAll(async () => {
  if (browser && !isMissing(browser)) await browser.close();
  await yard?.stop();
  await models?.close();
});
beforeEach((context) => {
  if (isMissing(browser)) context.skip(`no Chromium: ${browser.missing}`);
});

/** Opens the page by a link of its own. What its console says of a broken connection is no error here. */
async function openPage(): Promise<{ page: Page; errors: string[]; close(): Promise<void> }> {
  const context = await (browser as Browser).newContext({
    viewport: { width: 1280, height: 1600 },
    colorScheme: 'dark',
  });
  context.setDefaultTimeout(patienceMs);
  const page = await context.newPage();
  const errors = collectErrors(page);
  await page.goto(await freshLink(yard!.stateDirectory, yard!.pagePort));
  await isLive(page);
  return { page, errors, close: () => context.close() };
}

const isLive = (page: Page) => page.locator('[data-link=live]').waitFor();

async function submitSlots(goal: string, more: { model?: string } = {}): Promise<string> {
  const repository = yard!.makeRepository(goal.replaceAll(/\W/g, '-'), join(slotsExample, 'repository'));
  return yard!.submit({ repository, test: slotsTest, goal, plan: 'single', ...more });
}

const observer = () => yard!.launcher.children().find((child) => child.program === 'observer')!;

/** How many events the page has of the task that it shows. */
const eventsShown = async (page: Page) =>
  Number(await page.getByRole('slider').getAttribute('aria-valuemax'));

test('page of a mesh: without the link nothing is told, and the link leaves the address', async () => {
  const context = await (browser as Browser).newContext();
  const page = await context.newPage();
  const asked: string[] = [];
  page.on('websocket', (socket) => asked.push(socket.url()));
  await page.goto(`http://127.0.0.1:${yard!.pagePort}/`);
  await page.getByRole('alert').getByText('Not let in').waitFor({ timeout: patienceMs });
  expect(asked).toEqual([]);
  await context.close();

  const { page: let_in, close } = await openPage();
  expect(let_in.url()).not.toContain('token');
  // A reload needs no other link, and an empty mesh says what to do.
  await let_in.getByText('./switchyard fix').waitFor();
  await let_in.reload();
  await isLive(let_in);
  await close();
});

test('page of a mesh: an address that names no task says so, and follows the mesh all the same', async () => {
  const { page, errors, close } = await openPage();
  await page.goto(`http://127.0.0.1:${yard!.pagePort}/#/task/nobody`);
  await page.reload();
  await isLive(page);
  await page.getByRole('heading', { name: 'This mesh has no such task' }).waitFor();
  expect(await page.getByRole('alert').count()).toBe(0);
  expect(errors).toEqual([]);
  await close();
});

test('page of a mesh: a task appears, is followed to its end, and is found by filters', async () => {
  const { page, errors, close } = await openPage();
  const taskId = await submitSlots('First of two');
  await page.getByRole('heading', { name: 'First of two' }).waitFor();
  await page.getByRole('heading', { name: 'First of two' }).getByRole('link').click();
  await page.getByRole('treegrid').waitFor();
  expect(await yard!.ended(taskId)).toBe('task.completed');
  await page.getByText('completed').first().waitFor();
  const recorded = await yard!.events(taskId);
  await expect.poll(() => eventsShown(page)).toBe(recorded.length);
  await page.getByRole('treegrid').getByText('changes asked').first().waitFor();
  expect(await accessibilityProblems(page)).toEqual([]);

  const other = await submitSlots('Second of two');
  await yard!.ended(other);
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
  // The observer is a process too.
  await page
    .getByRole('row', { name: /^observer/ })
    .getByText('takes no work')
    .waitFor();
  await page.getByRole('heading', { name: 'Dead letters' }).waitFor();
  const log = page.getByRole('region', { name: 'What happened to the mesh' });
  await log.getByText('Nothing yet.').waitFor();
  await yard!.admin.jetstream.publish('yard.inbox.role.reviewer.nothing', 'no json');
  await log.getByRole('listitem').getByText('given up').waitFor();
  const reviewer = yard!.launcher.children().find((child) => child.program === 'reviewer')!;
  reviewer.kill('SIGKILL');
  const gone = page.getByRole('row', { name: /^reviewer/ }).filter({ hasText: 'gone' });
  await gone.waitFor();
  expect(await accessibilityProblems(page)).toEqual([]);
  expect(errors).toEqual([]);
  await close();
});

test('page of a mesh: a broker that is killed is said to be gone, and what happened meanwhile is neither missed nor twice', async () => {
  const { page, close } = await openPage();
  const taskId = await submitSlots('Over a break');
  await page.getByRole('heading', { name: 'Over a break' }).getByRole('link').click();
  await page.getByRole('treegrid').waitFor();
  await expect.poll(() => eventsShown(page).catch(() => 0)).toBeGreaterThan(5);
  await yard!.killBroker();
  await page.getByRole('alert').getByText('Connection lost').waitFor();
  // A narrow window holds what is said of it, and the settings beside it.
  await page.setViewportSize({ width: 360, height: 1600 });
  await page.getByRole('status').getByText('lost').waitFor();
  expect(await overflowPixels(page)).toBe(0);
  expect(await accessibilityProblems(page)).toEqual([]);
  await page.setViewportSize({ width: 1280, height: 1600 });
  // What was known is still shown.
  expect(await eventsShown(page)).toBeGreaterThan(5);
  await yard!.startBroker();
  await isLive(page);
  expect(await page.getByRole('alert').count()).toBe(0);
  expect(await yard!.ended(taskId)).toBe('task.completed');
  const recorded = await yard!.events(taskId);
  await expect.poll(() => eventsShown(page)).toBe(recorded.length);
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
});

test('page of a mesh: what a model writes is seen as it is written', async () => {
  const { page, errors, close } = await openPage();
  const taskId = await submitSlots('Slowly written', { model: 'slow' });
  await page.getByRole('heading', { name: 'Slowly written' }).getByRole('link').click();
  const writing = page.getByRole('treegrid').getByText(/word\d+ .*word\d+/);
  await writing.waitFor();
  const before = await writing.textContent();
  await expect.poll(() => writing.textContent()).not.toBe(before);
  const ofCall = async () => (await yard!.events(taskId)).filter((one) => one.event.type.includes('.call.'));
  // The record does not know a word of it yet.
  expect(JSON.stringify(await ofCall())).not.toContain('word1 ');
  await yard!.client.request('task.cancel', { taskId, reason: 'seen enough' });
  expect(await yard!.ended(taskId)).toBe('task.cancelled');
  await page.getByText('cancelled').first().waitFor();
  expect(errors).toEqual([]);
  await close();
});

test('page of a mesh: a read model that is built anew while the page is open leaves nothing twice and nothing out', async () => {
  const { page, close } = await openPage();
  const taskId = await submitSlots('Over a rebuild');
  await page.getByRole('heading', { name: 'Over a rebuild' }).getByRole('link').click();
  await page.getByRole('treegrid').waitFor();
  await yard!.ended(taskId);
  const recorded = await yard!.events(taskId);
  await expect.poll(() => eventsShown(page)).toBe(recorded.length);
  // The same read model in the old page, and another in what comes from now on.
  const heard = new Set<string>();
  page.on('websocket', (socket) =>
    socket.on('framereceived', ({ payload }) => {
      for (const [, record] of String(payload).matchAll(/"record":"([^"]+)"/g)) heard.add(record!);
    }),
  );
  await page.reload();
  await isLive(page);
  await expect.poll(() => heard.size).toBe(1);
  observer().kill('SIGHUP');
  await expect.poll(() => heard.size).toBe(2);
  const next = await submitSlots('After a rebuild');
  await expect.poll(() => eventsShown(page)).toBe(recorded.length);
  await page.getByRole('link', { name: 'Switchyard, all tasks' }).click();
  const tasks = page.getByRole('grid', { name: 'Tasks' });
  for (const goal of ['Over a rebuild', 'After a rebuild'])
    await expect.poll(() => tasks.getByRole('row', { name: goal }).count()).toBe(1);
  await yard!.client.request('task.cancel', { taskId: next, reason: 'seen in the list' });
  await close();
});

test('page of a mesh: a session that is over says so, and a new link in the same window lets in again', async () => {
  const { page, close } = await openPage();
  const file = join(yard!.stateDirectory, 'observer', 'sessions.json');
  const kept = JSON.parse(readFileSync(file, 'utf8')) as { sessions: { expiresAtMs: number }[] };
  expect(kept.sessions.length).toBeGreaterThan(0);
  for (const one of kept.sessions) one.expiresAtMs = Date.now() - 1;
  writeFileSync(file, JSON.stringify(kept));
  observer().kill('SIGKILL');
  const notice = page.getByRole('alert').getByText('Not let in');
  await notice.waitFor();
  const said = (await page.getByRole('alert').textContent())!;
  expect(said).toContain('the session of this page is over');
  expect(said).toContain('./switchyard dashboard');
  // What it had seen stays to be read.
  await page
    .getByText(/\d+ tasks?$/)
    .first()
    .waitFor();
  const link = await eventually(
    () => freshLink(yard!.stateDirectory, yard!.pagePort).catch(() => undefined),
    'another link',
  );
  // Meanwhile the demo is there for everybody; it opens in the same window too.
  await page.goto(`http://127.0.0.1:${yard!.pagePort}/#demo`);
  await page.getByText('Demo data.').waitFor();
  await page.goto(link);
  await isLive(page);
  expect(page.url()).not.toContain('token');
  expect(await page.getByRole('alert').count()).toBe(0);
  await close();
});
