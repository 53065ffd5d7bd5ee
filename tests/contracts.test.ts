import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { readMessage, writeBinary, writeStructured } from '../schemas/binding.ts';
import { catalogue, cloudEventType, type TypeName } from '../schemas/catalogue.ts';
import { exampleEvent, examples } from '../schemas/examples.ts';
import { generatedFiles } from '../schemas/generate.ts';
import { queries } from '../schemas/query.ts';
import { schemaFile, schemaId, type JsonSchema } from '../schemas/json-schema.ts';
import type { Row } from '../schemas/row.ts';
import { dataProblems, problemsOf } from '../schemas/validate.ts';

const root = join(import.meta.dirname, '..');
const published = join(root, 'schemas/published');
const rows: readonly Row[] = catalogue;
const read = async (path: string) => JSON.parse(await readFile(join(published, path), 'utf8')) as JsonSchema;

type Path = (string | number)[];

/** The value without what stands at a path. */
function without(value: unknown, path: Path): unknown {
  const copy = structuredClone(value);
  let parent = copy as Record<string | number, unknown>;
  for (const step of path.slice(0, -1)) parent = parent[step] as Record<string | number, unknown>;
  delete parent[path.at(-1)!];
  return copy;
}

function replaced(value: unknown, path: Path, by: unknown): unknown {
  const copy = structuredClone(value);
  let parent = copy as Record<string | number, unknown>;
  for (const step of path.slice(0, -1)) parent = parent[step] as Record<string | number, unknown>;
  parent[path.at(-1)!] = by;
  return copy;
}

/** Where an example holds a property that its schema requires or gives a type, at any depth; unions are left out. */
function* places(
  schema: JsonSchema,
  value: unknown,
  path: Path = [],
): Generator<{ path: Path; isRequired: boolean; schema: JsonSchema }> {
  if (Array.isArray(value)) {
    for (const [index, one] of value.entries())
      yield* places((schema['items'] ?? {}) as JsonSchema, one, [...path, index]);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  const properties = (schema['properties'] ?? {}) as Record<string, JsonSchema>;
  const required = (schema['required'] ?? []) as string[];
  for (const [name, one] of Object.entries(value)) {
    const of = properties[name];
    if (!of) continue;
    yield { path: [...path, name], isRequired: required.includes(name), schema: of };
    yield* places(of, one, [...path, name]);
  }
}

test('contract: every row has an example, and no example is left over', () => {
  expect(Object.keys(examples).toSorted()).toEqual(rows.map((row) => row.type).toSorted());
  expect(new Set(rows.map((row) => row.type)).size).toBe(rows.length);
});

test('contract: every row has a publisher, a consumer and a summary, and describes itself as a sentence', () => {
  for (const row of rows) {
    expect(row.publishedBy.length, row.type).toBeGreaterThan(0);
    expect(row.consumedBy.length, row.type).toBeGreaterThan(0);
    expect(row.summary, row.type).toMatch(/^[A-Z].*\.$/s);
  }
});

test.each(rows)('contract of $type: its example is valid', (row) => {
  expect(problemsOf(exampleEvent(row.type as TypeName))).toEqual([]);
});

test.each(rows)(
  'contract of $type: its example without any one required property is invalid, and the reason names it',
  (row) => {
    const data = examples[row.type as TypeName];
    const required = [...places(row.data as JsonSchema, data)].filter((one) => one.isRequired);
    expect(required.length).toBeGreaterThan(0);
    for (const { path } of required) {
      const problems = dataProblems(row.type, without(data, path));
      expect(problems, path.join('.')).toContainEqual(expect.stringContaining(String(path.at(-1))));
    }
  },
);

test.each(rows)('contract of $type: its example with a value of another type is invalid', (row) => {
  const data = examples[row.type as TypeName];
  const typed = [...places(row.data as JsonSchema, data)].filter(
    (one) => 'type' in one.schema || 'enum' in one.schema,
  );
  expect(typed.length).toBeGreaterThan(0);
  for (const { path, schema } of typed) {
    const other = schema['type'] === 'object' || schema['type'] === 'array' ? 'text' : { an: 'object' };
    expect(dataProblems(row.type, replaced(data, path, other)), path.join('.')).not.toEqual([]);
  }
});

test.each(rows)('contract of $type: data that is no object is invalid', (row) => {
  for (const data of [undefined, null, 'text', [], 7]) expect(dataProblems(row.type, data)).not.toEqual([]);
});

test.each(rows)('contract of $type: its example survives both modes of the binding', (row) => {
  const event = exampleEvent(row.type as TypeName);
  const structured = writeStructured(event);
  expect(readMessage(structured.headers, structured.body)).toEqual({ mode: 'structured', event });
  const binary = writeBinary(event);
  expect(readMessage(binary.headers, binary.body)).toEqual({ mode: 'binary', event });
});

test('contract: what is generated out of the rows is what is committed', async () => {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  for (const [path, text] of generatedFiles(rows, version)) {
    const committed = await readFile(join(root, path), 'utf8').catch(() => 'missing');
    expect(committed, `${path} is not what the rows say; run npm run generate`).toBe(text);
  }
});

test('contract: every published file belongs to a type of the contract', async () => {
  const types = rows.map((row) => row.type);
  for (const file of await readdir(published)) {
    if (['envelope.json', 'asyncapi.json', 'queries'].includes(file)) continue;
    expect(types, file).toContain(file.replace(/\.v\d+\.json$/, ''));
  }
});

test('contract: every published question is one that may be asked', async () => {
  const files = await readdir(join(published, 'queries'));
  expect(files.toSorted()).toEqual(queries.map(({ name }) => `${name}.json`).toSorted());
});

test.each(queries)('contract: the example of the question $name keeps its schema', ({ request, example }) => {
  expect(new Ajv2020({ strict: false }).validate(request, example)).toBe(true);
});

test('contract: the published files are enough for another validator to judge whole messages', async () => {
  const ajv = new Ajv2020({
    allErrors: true,
    strict: true,
    strictTypes: false,
    allowUnionTypes: true,
    keywords: ['x-switchyard'],
  });
  ajv.addFormat('uuid', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  ajv.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  const isEnvelope = ajv.compile(await read('envelope.json'));
  for (const row of rows) {
    const schema = await read(schemaFile(row));
    expect(schema['$id']).toBe(schemaId(row));
    expect(schema['$schema']).toBe('https://json-schema.org/draft/2020-12/schema');
    const isData = ajv.compile(schema);
    const event = exampleEvent(row.type as TypeName);
    expect(isEnvelope(event), JSON.stringify(isEnvelope.errors)).toBe(true);
    expect(isData(event.data), JSON.stringify(isData.errors)).toBe(true);
    expect(isData({})).toBe(false);
  }
  const event = exampleEvent('task.accepted');
  for (const broken of [
    { ...event, id: '' },
    { ...event, Bad_Name: 'x' },
    { ...event, hop: -1 },
    without(event, ['source']),
  ]) {
    expect(isEnvelope(broken)).toBe(false);
  }
});

test('contract: the AsyncAPI document holds every row, and all that it refers to is there', async () => {
  const document = await read('asyncapi.json');
  expect(document['asyncapi']).toBe('3.0.0');
  const resolve = (reference: string) =>
    reference
      .slice('#/'.length)
      .split('/')
      .reduce<unknown>((at, step) => (at as JsonSchema | undefined)?.[step], document);
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1]!);
  expect(references.length).toBeGreaterThan(rows.length);
  for (const reference of references) expect(resolve(reference), reference).toBeDefined();

  const channels = Object.values(
    document['channels'] as Record<
      string,
      { messages: JsonSchema; address: string; parameters?: JsonSchema }
    >,
  );
  for (const row of rows) {
    expect(
      channels.some((channel) => Object.hasOwn(channel.messages, row.type)),
      row.type,
    ).toBe(true);
    expect(JSON.stringify(document)).toContain(cloudEventType(row));
  }
  for (const { address, parameters } of channels) {
    const holes = [...address.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!);
    expect(Object.keys(parameters ?? {}).toSorted()).toEqual(holes.toSorted());
  }
  const operations = Object.entries(
    document['operations'] as Record<string, { action: string; messages: { $ref: string }[] }>,
  );
  const senders = (type: string) =>
    operations.filter(
      ([, one]) => one.action === 'send' && one.messages.some(({ $ref }) => $ref.endsWith(`/${type}`)),
    );
  for (const row of rows) {
    expect(
      senders(row.type).map(([name]) => name.split('.')[0]),
      row.type,
    ).toEqual(expect.arrayContaining([...row.publishedBy]));
  }
});

test('contract: the page of messages has a section for every row', async () => {
  const page = await readFile(join(root, 'docs/events.md'), 'utf8');
  for (const row of rows) expect(page).toContain(`\n### ${row.type}\n`);
});
