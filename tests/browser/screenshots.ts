import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { root } from '../tree.ts';
import { isMissing, launchBrowser } from './launch.ts';
import { buildPage, servePage } from './page-server.ts';

/**
 * Makes the pictures of the dashboard: `npm run screenshots`, into docs/images, or into the folder that is
 * named. They show the demo data, so they are the same each time but for what was changed in the page.
 */
const folder = process.argv[2] ?? join(root, 'docs/images');
mkdirSync(folder, { recursive: true });
buildPage();
const [browser, served] = await Promise.all([launchBrowser(), servePage()]);
if (isMissing(browser)) {
  console.error(browser.missing);
  process.exit(1);
}

const shots: [
  name: string,
  look: { width: number; height: number; theme: 'dark' | 'light' },
  go: (page: Page) => Promise<void>,
][] = [
  ['dashboard-task-dark', { width: 1280, height: 900, theme: 'dark' }, atCrash],
  ['dashboard-task-light', { width: 1280, height: 900, theme: 'light' }, atCrash],
  ['dashboard-tasks-dark', { width: 1280, height: 850, theme: 'dark' }, async () => {}],
  ['dashboard-tasks-light', { width: 1280, height: 850, theme: 'light' }, async () => {}],
  ['dashboard-router-dark', { width: 1280, height: 950, theme: 'dark' }, atRouter],
  ['dashboard-mesh-light', { width: 1280, height: 960, theme: 'light' }, atMesh],
  ['dashboard-narrow-dark', { width: 360, height: 860, theme: 'dark' }, atCrash],
];

for (const [name, { width, height, theme }, go] of shots) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme,
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  await page.goto(`${served.url}#demo`);
  await page.getByRole('grid', { name: 'Tasks' }).waitFor();
  await go(page);
  await page.evaluate('document.activeElement.blur()');
  await page.screenshot({ path: join(folder, `${name}.png`) });
  await context.close();
}
await browser.close();
await served.stop();

async function openTask(page: Page): Promise<void> {
  await page.getByRole('grid', { name: 'Tasks' }).press('Enter');
  await page.getByRole('treegrid').waitFor();
}

/** The moment after the coder was killed: another has gone on and found the edit done. */
async function atCrash(page: Page): Promise<void> {
  await openTask(page);
  await page.getByRole('slider').press('Home');
  await page.getByRole('button', { name: 'Next failure' }).click();
  await page.getByRole('button', { name: 'One event on' }).click();
  await page.getByText('after a crash').first().waitFor();
  // The row that says it, and beside it what was changed.
  const step = page.getByRole('treegrid').getByRole('row', { level: 2 }).filter({ hasText: 'crashed' });
  if (page.viewportSize()!.width > 1000) await step.click({ position: { x: 5, y: 5 } });
}

/** A task whose router had models to choose from. */
async function atRouter(page: Page): Promise<void> {
  await page.getByLabel('Text in goal').fill('leap years');
  await page.getByText(/^1 of/).waitFor();
  await openTask(page);
  await page.getByRole('tab', { name: 'Router' }).click();
  await page.getByRole('tab', { name: 'Router', selected: true }).waitFor();
}

async function atMesh(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'Mesh' }).click();
  await page.getByRole('heading', { name: 'Processes' }).or(page.getByText('Processes')).first().waitFor();
}
