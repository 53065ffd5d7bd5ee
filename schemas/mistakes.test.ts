import { Ajv } from 'ajv';
import { Type } from 'typebox';
import { expect, test } from 'vitest';
import { definitions } from '../agents/roles.ts';
import { Config } from '../config/config.ts';
import { Allowed } from '../config/allowed.ts';
import { tools } from '../tools/tools.ts';
import { catalogue } from './catalogue.ts';
import { deriveId } from './envelope.ts';
import { mistakesIn, mistakeText } from './mistakes.ts';
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

const standard = new Ajv({ strict: false });

test.each(ours)('mistakes: the schema of %s is one by the standard', (_, schema) => {
  expect(standard.validateSchema(schema), standard.errorsText()).toBe(true);
});

test('mistakes: all are found, each with its place, what is there and the schema of that part', () => {
  const limits = Type.Object({ hops: Type.Integer({ minimum: 1 }) }, { additionalProperties: false });
  const schema = Type.Object({
    limits,
    state: Type.Enum(['one', 'two']),
    names: Type.Array(Type.String()),
    id: Type.String({ format: 'uuid' }),
    'a/b': Type.Boolean(),
  });
  expect(
    mistakesIn(schema, { limits: { hops: 1 }, state: 'one', names: [], id: deriveId('a', 'b'), 'a/b': true }),
  ).toEqual([]);
  const found = mistakesIn(schema, {
    limits: { hops: 0, x: 1, y: 2 },
    state: 'three',
    names: ['', 4],
    id: 'none',
  });
  expect(found.map((one) => mistakeText(one, 'the whole'))).toEqual([
    'the whole: must have the property "a/b"',
    'limits: unknown property "x"',
    'limits: unknown property "y"',
    'limits.hops: must be >= 1',
    'state: must be one of one, two',
    'names.1: must be string',
    'id: must match format "uuid"',
  ]);
  expect(found[3]).toMatchObject({ pointer: '/limits/hops', found: 0, schema: limits.properties.hops });
});

test('mistakes: of any number some are told, and never none', () => {
  const names = Array.from({ length: 3000 }, (_, place) => place);
  expect(mistakesIn(Type.Array(Type.String()), names)).toHaveLength(200);
  const unknown = Object.fromEntries(names.map((name) => [`x${name}`, 1]));
  const found = mistakesIn(Type.Object({}, { additionalProperties: false }), unknown);
  expect(found.map((one) => mistakeText(one, 'the whole')).slice(0, 2)).toEqual([
    'the whole: unknown property "x0"',
    'the whole: unknown property "x1"',
  ]);
  expect(mistakesIn(Type.Never(), 1)).toHaveLength(1);
});
