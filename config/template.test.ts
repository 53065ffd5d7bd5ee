import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { Config } from './config.ts';
import { loadConfig } from './load.ts';
import { configTemplate, inForce } from './template.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchyard-template-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function load(text: string) {
  const file = join(folder, 'switchyard.yaml');
  writeFileSync(file, text);
  return loadConfig({ file, stateDirectory: join(folder, '.switchyard'), environment: {} });
}

test('template: as it is written it loads, and the defaults hold', () => {
  expect(load(configTemplate())).toEqual(load(''));
});

test('template: with every option in force it loads, and shows every section', () => {
  const text = inForce(configTemplate());
  expect(Object.keys(parse(text))).toEqual(Object.keys(Config.properties));
  expect(load(text).models['large']?.prices?.asOf).toBe('2026-11-20');
});

test('template: each section can be put in force by itself, but for those that name models', () => {
  const text = configTemplate();
  for (const section of Object.keys(Config.properties).filter(
    (name) => name !== 'roles' && name !== 'routes',
  )) {
    const only = text.replaceAll(new RegExp(`^#${section}:.*\\n(?: .*\\n)*`, 'gm'), inForce);
    expect(only).not.toBe(text);
    load(only);
  }
});
