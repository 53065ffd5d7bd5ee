import type { TSchema } from 'typebox';
import { attributeNamePattern, Attributes } from './attributes.ts';
import type { Row } from './row.ts';

/** A JSON Schema as plain JSON. */
export type JsonSchema = { [keyword: string]: unknown };

const dialect = 'https://json-schema.org/draft/2020-12/schema';

/** The name that other documents may refer to it by. */
export const schemaId = (row: Pick<Row, 'type' | 'version'>) =>
  `urn:switchyard:schema:${row.type}:v${row.version}`;
export const schemaFile = (row: Pick<Row, 'type' | 'version'>) => `${row.type}.v${row.version}.json`;
export const envelopeFile = 'envelope.json';

/** A row's data as plain JSON Schema, without what TypeBox adds for itself. */
function plain(schema: TSchema): JsonSchema {
  return JSON.parse(JSON.stringify(schema)) as JsonSchema;
}

/** The JSON Schema (2020-12) of a row's data. `x-switchyard` says what the message is, since that is contract too. */
export function rowSchema(row: Row): JsonSchema {
  const { description, ...schema } = plain(row.data);
  return {
    $schema: dialect,
    $id: schemaId(row),
    title: row.type,
    description: typeof description === 'string' ? `${row.summary} ${description}.` : row.summary,
    'x-switchyard': {
      kind: row.kind,
      journal: row.journal,
      publishedBy: [...row.publishedBy],
      consumedBy: [...row.consumedBy],
    },
    ...schema,
  };
}

/** The JSON Schema (2020-12) of a whole message: CloudEvents 1.0 in its JSON format, with our extensions. */
export function envelopeSchema(): JsonSchema {
  const { properties, required, ...schema } = plain(Attributes) as { properties: object; required: string[] };
  return {
    $schema: dialect,
    $id: 'urn:switchyard:schema:envelope',
    title: 'envelope',
    description: 'A message: CloudEvents 1.0 as structured JSON. Which data it holds is said by its type.',
    ...schema,
    required: [...required, 'data'],
    properties: { ...properties, data: { description: "What the type's own schema says" } },
    propertyNames: { pattern: attributeNamePattern },
  };
}
