import { Attributes } from './attributes.ts';
import { cloudEventType, type TypeName } from './catalogue.ts';
import { destinationsOf, type Hole } from './destination.ts';
import { exampleEvent } from './examples.ts';
import { schemaFile, type JsonSchema } from './json-schema.ts';
import type { Row } from './row.ts';

const hole: Hole = (name) => `<${name}>`;

const kinds: [kind: Row['kind'], title: string, what: string][] = [
  ['request', 'Requests', 'What is asked for from outside. Only these may be sent by you.'],
  ['event', 'Events', 'Facts, appended to a journal by compare-and-set. They are the permanent record.'],
  ['command', 'Commands', 'One role asks another to do something, through its inbox.'],
  ['homecoming', 'Homecomings', 'Commands that only name a concluding event by journal and sequence.'],
  ['timer', 'Timers', 'Commands to oneself that are not handled before they are due.'],
];

const anchor = (row: Row) => row.type.replaceAll(/[^a-z0-9_-]/g, '');
const cell = (text: string) => text.replaceAll(/[|<]/g, '\\$&').replaceAll(/\s+/g, ' ');
const list = (names: readonly string[]) => names.join(', ');
const subjectsOf = (row: Row) => [...new Set(destinationsOf(row, 'yard', hole).map((one) => one.subject))];

/** A schema in a few words, such as `list of integer` or `ok, failed or denied`. */
function typeText(schema: JsonSchema): string {
  if (Array.isArray(schema['enum'])) return schema['enum'].map((one) => `\`${String(one)}\``).join(', ');
  if ('const' in schema) return `\`${String(schema['const'])}\``;
  if (Array.isArray(schema['anyOf'])) return (schema['anyOf'] as JsonSchema[]).map(typeText).join(' or ');
  if (schema['type'] === 'array') return `list of ${typeText(schema['items'] as JsonSchema)}`;
  if (schema['type'] === 'object') {
    const names = Object.keys((schema['properties'] as object | undefined) ?? {});
    return names.length > 0 ? `object {${names.join(', ')}}` : 'object';
  }
  return typeof schema['type'] === 'string' ? schema['type'] + boundsText(schema) : 'anything';
}

function boundsText(schema: JsonSchema): string {
  const { minimum, maximum, maxLength, format } = schema as Record<string, number | string | undefined>;
  const range =
    minimum !== undefined && maximum !== undefined
      ? ` ${minimum} to ${maximum}`
      : minimum !== undefined
        ? ` from ${minimum}`
        : '';
  return `${range}${maxLength === undefined ? '' : `, at most ${maxLength} characters`}${format ? ` (${format})` : ''}`;
}

/** A table of an object's properties; names only those at its top, since the schema files hold the rest. */
export function propertiesTable(head: string, data: object): string[] {
  const schema = JSON.parse(JSON.stringify(data)) as {
    properties: Record<string, JsonSchema>;
    required?: string[];
  };
  const required = new Set(schema.required);
  return [
    `| ${head} | type | required | what |`,
    '| --- | --- | --- | --- |',
    ...Object.entries(schema.properties).map(([name, one]) => {
      const description = typeof one['description'] === 'string' ? one['description'] : '';
      return `| \`${name}\` | ${cell(typeText(one))} | ${required.has(name) ? 'yes' : ''} | ${cell(description)} |`;
    }),
  ];
}

function section(row: Row): string {
  return [
    `### ${row.type}`,
    '',
    row.summary,
    '',
    `- Type: \`${cloudEventType(row)}\``,
    `- Subject: ${subjectsOf(row)
      .map((one) => `\`${one}\``)
      .join(', ')}`,
    `- From ${list(row.publishedBy)} to ${list(row.consumedBy)}`,
    `- Schema of its data: [${schemaFile(row)}](../schemas/published/${schemaFile(row)})`,
    '',
    ...propertiesTable('data', row.data),
    '',
    '```json',
    JSON.stringify(exampleEvent(row.type as TypeName), null, 2),
    '```',
    '',
  ].join('\n');
}

/** The page of all messages, in Markdown. */
export function eventsPage(rows: readonly Row[]): string {
  const table = rows.map(
    (row) =>
      `| [${row.type}](#${anchor(row)}) | ${row.kind} | ${list(row.publishedBy)} | ${list(row.consumedBy)} | ${cell(row.summary)} |`,
  );
  const parts = kinds.flatMap(([kind, title, what]) => {
    const ofKind = rows.filter((row) => row.kind === kind);
    return ofKind.length === 0 ? [] : [`## ${title}`, '', what, '', ...ofKind.map(section)];
  });
  return `${[
    '# Messages',
    '',
    '<!-- Generated out of schemas/ by `npm run generate`. Do not edit. -->',
    '',
    'Every message is a [CloudEvent](https://cloudevents.io) 1.0 in structured JSON',
    '([envelope.json](../schemas/published/envelope.json)). For other languages there is a JSON Schema of each type and an',
    '[AsyncAPI 3.0 document](../schemas/published/asyncapi.json) of all. Subjects begin with the namespace, `yard` unless',
    'it is configured otherwise. A change that would break a reader or a writer gets a new version, and with it a new',
    'CloudEvents type; `npm run generate` refuses to publish one under the old name.',
    '',
    '| type | kind | from | to | what |',
    '| --- | --- | --- | --- | --- |',
    ...table,
    '',
    '## The envelope',
    '',
    'Other attributes may be added by whoever sends a message: names of a-z and 0-9, at most 20 characters.',
    '',
    ...propertiesTable('attribute', Attributes),
    '',
    ...parts,
  ]
    .join('\n')
    .trimEnd()}\n`;
}
