import { Ajv } from 'ajv';
import { expect, test } from 'vitest';
import { definitions } from '../agents/roles.ts';
import { Config } from '../config/config.ts';
import { Allowed } from '../config/allowed.ts';
import { tools } from '../tools/tools.ts';
import { catalogue } from './catalogue.ts';
import { openChecker } from './checker.ts';
import { queries } from './query.ts';

const ours: [string, object][] = [
  ['the configuration', Config],
  ['what is allowed', Allowed],
  ...catalogue.map((row): [string, object] => [`the event ${row.type}`, row.data]),
  ...queries.map((query): [string, object] => [`the question ${query.name}`, query.request]),
  ...tools.map((tool): [string, object] => [`the arguments of ${tool.name}`, tool.arguments]),
  ...Object.entries(definitions).map(([role, { result }]): [string, object] => [
    `the result of a ${role}`,
    result,
  ]),
];

test.each(ours)('checker: the schema of %s is one by the standard', (_, schema) => {
  const standard = new Ajv({ strict: false, formats: { uuid: true } });
  expect(standard.validateSchema(schema), standard.errorsText()).toBe(true);
});

test('checker: it finds every mistake', () => {
  const check = openChecker().compile({ type: 'object', required: ['one', 'two'] });
  expect(check({})).toBe(false);
  expect(check.errors).toHaveLength(2);
});
