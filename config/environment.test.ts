import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { environmentVariables } from './environment.ts';
import { checkoutRoot } from './state.ts';

const read = /\b(?:process\.env|environment|env)(?:\?\.|\.|(?:\?\.)?\[['"`])([A-Z][A-Z0-9_]*)\b/g;
const ours = /\bSWITCHYARD_[A-Z0-9_]*[A-Z0-9]\b/g;

/** The names of variables that a source text reads, and all that begin with our own prefix. */
function namesIn(text: string): string[] {
  return [...[...text.matchAll(read)].map(([, name]) => name!), ...(text.match(ours) ?? [])];
}

/** What runs: no tests, no table of the variables itself. */
const sources = [
  'switchyard',
  ...globSync(['**/*.ts', '**/*.mjs'], { cwd: checkoutRoot, exclude: isLeftOut }),
].filter((file) => !/\.test\.ts$|-for-tests\.ts$|^tests\/|^config\/environment\.ts$/.test(file));
function isLeftOut(path: string): boolean {
  return /(^|\/)(node_modules|\.switchyard|\.git|coverage)(\/|$)/.test(path);
}
const texts = new Map(sources.map((file) => [file, readFileSync(join(checkoutRoot, file), 'utf8')]));
const table = new Set(environmentVariables.map(({ name }) => name));

test('environment: the search finds every way of reading a variable', () => {
  const text =
    "process.env['A_1'] environment.B environment['C'] env[\"D\"] env?.['E'] process.env.F 'SWITCHYARD_G' environment.lower";
  expect(namesIn(text)).toEqual(['A_1', 'B', 'C', 'D', 'E', 'F', 'SWITCHYARD_G']);
  expect(sources.length).toBeGreaterThan(20);
});

test('environment: every variable that the source reads is in the table', () => {
  const missing = [...texts].flatMap(([file, text]) =>
    namesIn(text)
      .filter((name) => !table.has(name))
      .map((name) => `${file} reads ${name}: add it to config/environment.ts`),
  );
  expect([...new Set(missing)]).toEqual([]);
});

test('environment: every variable of the table is read by the source', () => {
  const all = [...texts.values()].join('\n');
  const unread = [...table].filter((name) => !new RegExp(`\\b${name}\\b`).test(all));
  expect(unread.map((name) => `nothing reads ${name}: take it out of config/environment.ts`)).toEqual([]);
});

test('environment: .env.example lists every variable of the table, and no other', () => {
  const example = readFileSync(join(checkoutRoot, '.env.example'), 'utf8');
  const listed = [
    ...example.matchAll(/^#?([A-Z][A-Z0-9_]+)=|^# ([A-Z][A-Z0-9_]+) is set by .*; it has no place/gm),
  ];
  expect(listed.map(([, name, system]) => name ?? system ?? '').sort()).toEqual([...table].sort());
});

test('environment: .env.example sets nothing', () => {
  const example = readFileSync(join(checkoutRoot, '.env.example'), 'utf8');
  expect(example.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([]);
});
