import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { OptionSchema } from './accepted.ts';
import { Config } from './config.ts';
import { configurationPage, environmentExample } from './document.ts';
import { checkoutRoot } from './state.ts';

const read = (name: string) => readFileSync(join(checkoutRoot, name), 'utf8');

test('docs/configuration.md: it is what the schema says (mend: node config/document.ts)', () => {
  expect(read('docs/configuration.md')).toBe(configurationPage());
});

test('.env.example: it is what the table says (mend: node config/document.ts)', () => {
  expect(read('.env.example')).toBe(environmentExample());
});

test('docs/configuration.md: every option is there with a meaning, and nothing reads undefined', () => {
  const page = configurationPage();
  const walk = (path: string, schema: OptionSchema): void => {
    expect(schema.description, path).toMatch(/\S/);
    for (const [name, option] of Object.entries(schema.properties ?? {})) {
      const place = path === '' ? name : `${path}.${name}`;
      if (path !== '') expect(page).toContain(`| \`${place}\` |`);
      walk(place, option);
    }
    for (const entry of Object.values(schema.patternProperties ?? {})) walk(`${path}.NAME`, entry);
    if (schema.items?.properties) walk(`${path}[]`, schema.items);
  };
  walk('', Config as OptionSchema);
  expect(page).not.toMatch(/undefined|\[object/);
});
