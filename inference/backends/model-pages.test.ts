import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../config/load.ts';
import { checkoutRoot } from '../../config/state.ts';
import { readScript } from './script.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchyard-page-'));
  writeFileSync(join(folder, 'overlap.yaml'), '');
});
afterAll(() => rmSync(folder, { recursive: true }));

const pageOf = (name: string) => readFileSync(join(checkoutRoot, 'docs/models', `${name}.md`), 'utf8');
const blocksOf = (page: string) => [...page.matchAll(/^```yaml\n([\s\S]*?)^```/gm)].map((match) => match[1]!);

/** Every line of code of our own that a message of `name` may come from, joined over the breaks of long lines. */
const sourcesOf = (pattern: string) =>
  globSync(pattern, { cwd: join(checkoutRoot, 'inference/backends') })
    .filter((file) => !file.endsWith('.test.ts'))
    .map((file) => readFileSync(join(checkoutRoot, 'inference/backends', file), 'utf8'))
    .join('\n');

test.each([
  ['bedrock', 1, 'bedrock*.ts'],
  ['scripted', 3, '{cassette*,script*}.ts'],
])(
  '%s page: its examples are accepted, and its messages are those that are given',
  (name, count, pattern) => {
    const page = pageOf(name);
    const blocks = blocksOf(page);
    expect(blocks).toHaveLength(count);
    for (const [place, block] of blocks.entries()) {
      const file = join(folder, `${name}-${place}.yaml`);
      writeFileSync(file, block);
      if (block.startsWith('models:')) {
        const { models } = loadConfig({ file, stateDirectory: join(folder, 'state'), environment: {} });
        expect(Object.keys(models)).toHaveLength(1);
      } else expect(readScript(file).length).toBeGreaterThan(0);
    }
    const table = page.slice(page.indexOf('## What goes wrong'));
    const messages = [...table.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1]!);
    expect(messages.length).toBeGreaterThan(5);
    const sources = sourcesOf(pattern);
    const ofAws = ['ThrottlingException'];
    expect(messages.filter((message) => !ofAws.includes(message) && !sources.includes(message))).toEqual([]);
  },
);
