import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withTables } from './taxonomy-page.ts';
import { keys, taxonomy } from './taxonomy.ts';

const file = join(import.meta.dirname, '..', 'docs', 'observability.md');

test('taxonomy: the page shows the spans and metrics as they are', async () => {
  const page = withTables(readFileSync(file, 'utf8'));
  await expect(page, 'run: npx vitest run observability/taxonomy.test.ts --update').toMatchFileSnapshot(file);
});

test('taxonomy: every key is written once, and every span has its name', () => {
  expect(new Set(Object.values(keys)).size).toBe(Object.values(keys).length);
  expect(Object.values(taxonomy).map((one) => one.name)).toEqual(
    expect.arrayContaining([
      'agent.task',
      'agent.route',
      'agent.run',
      'agent.review',
      'agent.tool_call',
      'agent.checkpoint.save',
    ]),
  );
});
