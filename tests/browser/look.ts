import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { root } from '../tree.ts';

const axe = readFileSync(join(root, 'node_modules/axe-core/axe.min.js'), 'utf8');

interface Violation {
  id: string;
  help: string;
  nodes: { target: string[]; failureSummary: string }[];
}

/** What axe finds wrong with a page as it is now, a line each; empty = nothing. */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const found = await page.evaluate(
    async () =>
      (await (globalThis as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } }).axe.run())
        .violations,
  );
  return found.flatMap((one) =>
    one.nodes.map(
      (node) =>
        `${one.id}: ${one.help}: ${node.target.join(' ')}: ${node.failureSummary.split('\n').at(-1)?.trim()}`,
    ),
  );
}

/** All that went wrong while a page was open: what it threw, what its console called an error, what was not found. */
export function collectErrors(page: Page): string[] {
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  return errors;
}

/** How much wider the page is than its window, or than the part that scrolls: 0 where nothing has to be scrolled sideways. */
export const overflowPixels = (page: Page): Promise<number> =>
  page.evaluate(`Math.max(...[document.documentElement, document.querySelector('main')]
    .filter(Boolean).map((one) => one.scrollWidth - one.clientWidth))`);
