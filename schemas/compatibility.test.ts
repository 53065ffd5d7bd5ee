import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Type, { type TSchema } from 'typebox';
import { expect, onTestFinished, test } from 'vitest';
import { catalogue } from './catalogue.ts';
import { incompatibilities } from './compatibility.ts';
import { generate, publishedSchemas, publishingProblems } from './generate.ts';
import { rowSchema, type JsonSchema } from './json-schema.ts';
import type { Row } from './row.ts';

const root = join(import.meta.dirname, '..');
const json = (schema: TSchema) => JSON.parse(JSON.stringify(schema)) as JsonSchema;
const base = {
  name: Type.String({ maxLength: 20, pattern: '^[a-z]+$' }),
  count: Type.Integer({ minimum: 0, maximum: 10 }),
  note: Type.Optional(Type.String()),
  state: Type.Enum(['open', 'closed']),
  list: Type.Array(Type.Object({ id: Type.String(), line: Type.Optional(Type.Integer()) }), { maxItems: 5 }),
  step: Type.Union([
    Type.Object({ kind: Type.Literal('tool'), tool: Type.String() }),
    Type.Object({ kind: Type.Literal('call'), callId: Type.String() }),
  ]),
  any: Type.Unknown(),
  map: Type.Record(Type.String(), Type.Integer()),
};
const published = Type.Object(base);
const judge = (next: TSchema, from: TSchema = published) => incompatibilities(json(from), json(next));
const { name: _name, ...withoutName } = base;

test.each<[string, TSchema]>([
  ['nothing at all', published],
  ['another description', Type.Object(base, { description: 'Says it better' })],
  ['a new optional property', Type.Object({ ...base, more: Type.Optional(Type.String()) })],
  [
    'a new optional property deep inside',
    Type.Object({
      ...base,
      list: Type.Array(
        Type.Object({
          id: Type.String(),
          line: Type.Optional(Type.Integer()),
          more: Type.Optional(Type.String()),
        }),
        { maxItems: 5 },
      ),
    }),
  ],
  ['wider bounds', Type.Object({ ...base, count: Type.Integer({ minimum: -1, maximum: 11 }) })],
  ['no bounds', Type.Object({ ...base, name: Type.String(), count: Type.Integer() })],
  ['any number for a whole one', Type.Object({ ...base, count: Type.Number({ minimum: 0, maximum: 10 }) })],
  ['one more value', Type.Object({ ...base, state: Type.Enum(['closed', 'open', 'stuck']) })],
  ['any text for some', Type.Object({ ...base, state: Type.String() })],
  [
    'one more alternative',
    Type.Object({
      ...base,
      step: Type.Union([...base.step.anyOf, Type.Object({ kind: Type.Literal('rest') })]),
    }),
  ],
  ['alternatives in another order', Type.Object({ ...base, step: Type.Union(base.step.anyOf.toReversed()) })],
  ['a union of what was alone', Type.Object({ ...base, count: Type.Union([base.count, Type.Null()]) })],
  ['anything for something', Type.Object({ ...base, count: Type.Unknown() })],
])('compatibility: %s may change under the same version', (_, next) => {
  expect(judge(next)).toEqual([]);
});

test.each<[string, TSchema, string]>([
  ['a property is removed', Type.Object(withoutName), 'data.name: was removed'],
  [
    'a new property is required',
    Type.Object({ ...base, more: Type.String() }),
    'data.more: is new and required',
  ],
  [
    'an optional property is required',
    Type.Object({ ...base, note: Type.String() }),
    'data.note: was optional and is now required',
  ],
  [
    'a required property is optional',
    Type.Object({ ...base, name: Type.Optional(base.name) }),
    'data.name: was required and is now optional',
  ],
  [
    'a type changes',
    Type.Object({ ...base, name: Type.Integer() }),
    'data.name: its type changed from string to integer',
  ],
  [
    'only whole numbers are left',
    Type.Object({ ...base, any: Type.Integer() }),
    'data.any: may now only be integer',
  ],
  [
    'a lower bound rises',
    Type.Object({ ...base, count: Type.Integer({ minimum: 1, maximum: 10 }) }),
    'data.count: minimum is now 1, it was 0',
  ],
  [
    'an upper bound falls',
    Type.Object({ ...base, name: Type.String({ maxLength: 19, pattern: '^[a-z]+$' }) }),
    'data.name: maxLength is now 19',
  ],
  [
    'a bound appears',
    Type.Object({ ...base, note: Type.Optional(Type.String({ minLength: 1 })) }),
    'data.note: minLength is now 1',
  ],
  [
    'a list may hold less',
    Type.Object({ ...base, list: Type.Array(base.list.items, { maxItems: 4 }) }),
    'data.list: maxItems is now 4',
  ],
  [
    'a pattern changes',
    Type.Object({ ...base, name: Type.String({ maxLength: 20, pattern: '^[A-Z]+$' }) }),
    'data.name: pattern is now',
  ],
  [
    'a format appears',
    Type.Object({ ...base, note: Type.Optional(Type.String({ format: 'uuid' })) }),
    'data.note: format is now uuid',
  ],
  [
    'a value is gone',
    Type.Object({ ...base, state: Type.Enum(['open']) }),
    'data.state: may no longer be closed',
  ],
  [
    'a text becomes some values',
    Type.Object({ ...base, note: Type.Optional(Type.Enum(['a'])) }),
    'data.note: may now only be a',
  ],
  [
    'an alternative is gone',
    Type.Object({ ...base, step: base.step.anyOf[0]! }),
    'data.step: alternative 2 is gone',
  ],
  [
    'an alternative is narrowed',
    Type.Object({
      ...base,
      step: Type.Union([
        base.step.anyOf[0]!,
        Type.Object({ kind: Type.Literal('call'), callId: Type.Integer() }),
      ]),
    }),
    'data.step: alternative 2',
  ],
  [
    'other properties are forbidden',
    Type.Object(base, { additionalProperties: false }),
    'data: other properties are no longer allowed',
  ],
  [
    'the values of a map change',
    Type.Object({ ...base, map: Type.Record(Type.String(), Type.String()) }),
    'data.map.*: its type changed',
  ],
  [
    'something deep inside changes',
    Type.Object({ ...base, list: Type.Array(Type.Object({ id: Type.Integer() }), { maxItems: 5 }) }),
    'data.list[].id: its type changed',
  ],
  [
    'a word comes in that cannot be judged',
    Type.Object({ ...base, note: Type.Optional(Type.String({ not: { const: 'x' } })) }),
    'not changed, which cannot be judged',
  ],
])('compatibility: it is refused that %s', (_, next, problem) => {
  expect(judge(next)).toContainEqual(expect.stringContaining(problem));
});

const rows: readonly Row[] = catalogue;
const submit = rows.find((row) => row.type === 'task.submit')!;
const submitWith = (properties: Record<string, TSchema>, version = 1): Row => ({
  ...submit,
  version,
  data: Type.Object(
    { ...(submit.data as unknown as { properties: Record<string, TSchema> }).properties, ...properties },
    { additionalProperties: false },
  ),
});
const instead = (row: Row) => rows.map((one) => (one.type === row.type ? row : one));

test('compatibility: what the rows say today fits what is published', async () => {
  expect(publishingProblems(await publishedSchemas(root), rows), 'raise the version of the row').toEqual([]);
});

test('compatibility: an incompatible change planted in a published row is found, a compatible one passes', async () => {
  const today = await publishedSchemas(root);
  const required = instead(submitWith({ priority: Type.Integer() }));
  expect(publishingProblems(today, required)).toEqual([
    'task.submit.v1.json: data.priority: is new and required, which messages sent so far do not fulfil',
  ]);
  expect(publishingProblems(today, instead(submitWith({ priority: Type.Optional(Type.Integer()) })))).toEqual(
    [],
  );
  expect(publishingProblems(today, instead(submitWith({ priority: Type.Integer() }, 2)))).toEqual([]);
});

test('compatibility: a row that is gone, or went to another journal, is found', async () => {
  const today = await publishedSchemas(root);
  const without = rows.filter((row) => row.type !== 'task.approve');
  expect(publishingProblems(today, without)).toEqual([
    'task.approve.v1.json: the contract no longer has task.approve',
  ]);
  expect(publishingProblems(today, instead({ ...submit, kind: 'command' }))).toEqual([
    'task.submit.v1.json: kind: changed from request to command',
  ]);
  expect(incompatibilities(rowSchema(submit), rowSchema({ ...submit, consumedBy: [] }))).toHaveLength(1);
});

test('generate: refuses an incompatible change and writes nothing, unless it is told to publish anew', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'switchyard-generate-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'schemas/published/task.submit.v1.json');
  const options = { version: '0.0.0', republish: false };

  expect((await generate(folder, rows, options)).written).toContain('schemas/published/task.submit.v1.json');
  expect(await generate(folder, rows, options)).toEqual({ written: [], problems: [] });
  const first = await readFile(file, 'utf8');

  const broken = instead(submitWith({ priority: Type.Integer() }));
  const refused = await generate(folder, broken, options);
  expect(refused.written).toEqual([]);
  expect(refused.problems).toHaveLength(1);
  expect(await readFile(file, 'utf8')).toBe(first);

  const raised = await generate(folder, instead(submitWith({ priority: Type.Integer() }, 2)), options);
  expect(raised.written).toContain('schemas/published/task.submit.v2.json');
  expect(await readFile(file, 'utf8')).toBe(first);

  const gone = rows.filter((row) => row.type !== 'task.submit');
  await generate(folder, gone, { ...options, republish: true });
  const left = await readdir(join(folder, 'schemas/published'));
  expect(left.filter((one) => one.startsWith('task.submit'))).toEqual([]);
});
