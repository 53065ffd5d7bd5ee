import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { OptionSchema } from './accepted.ts';
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

const named = new Set(['models', 'roles', 'routes']);

test('template: every option is there, also those of entries', () => {
  const lines = configTemplate().split('\n');
  const walk = (schema: OptionSchema): void => {
    for (const [name, option] of Object.entries(schema.properties ?? {})) {
      const isThere = lines.some((line) => new RegExp(`(#|[{,\`(] ?|# )\\b${name}\\b`).test(line));
      expect(isThere, name).toBe(true);
      walk(option);
    }
    for (const entry of Object.values(schema.patternProperties ?? {})) walk(entry);
    if (schema.items) walk(schema.items);
  };
  walk(Config as OptionSchema);
});

test('template: what is shown without the word "Example" is the default, so that taking a # away changes nothing', () => {
  const shown = parse(inForce(configTemplate())) as Record<string, Record<string, unknown>>;
  const byDefault = load('') as unknown as typeof shown;
  let compared = 0;
  for (const [section, options] of Object.entries(shown)) {
    if (named.has(section)) continue;
    if (typeof options !== 'object') {
      expect(options, section).toEqual(byDefault[section]);
      continue;
    }
    for (const [name, value] of Object.entries(options)) {
      const above = new RegExp(`Example:\\n  #${name}:`).test(configTemplate());
      if (above) expect(byDefault[section]![name], `${section}.${name}`).toBeUndefined();
      else expect(value, `${section}.${name}`).toEqual(byDefault[section]![name]);
      compared += 1;
    }
  }
  expect(compared).toBeGreaterThan(30);
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
