import { transformJSONSchema } from '@anthropic-ai/sdk/lib/transform-json-schema';
import type { ModelRequest } from '../backend.ts';

/**
 * How a reply is held to its schema. `enforced`: by the schema as it stands; `simplified`: by what structured outputs
 * take of it (no bounds, no patterns, no open objects), the rest as descriptions; `in-prompt`: the model is told in
 * words, for models that have no structured outputs.
 */
export type SchemaForm = 'enforced' | 'simplified' | 'in-prompt';

/** The schema in a form, or undefined where it has none of that kind. */
function inForm(schema: Record<string, unknown>, way: SchemaForm): object | undefined {
  if (way !== 'simplified') return schema;
  try {
    return transformJSONSchema(schema as Parameters<typeof transformJSONSchema>[0]);
  } catch {
    return undefined;
  }
}

/** The forms of schemas, each found out by asking and remembered for the life of a backend. */
export interface SchemaForms {
  of(request: ModelRequest): { way: SchemaForm; schema: object } | undefined;
  /** The API refused the form of this request's schema; false where there is none left. */
  refused(request: ModelRequest): boolean;
}

const ways: SchemaForm[] = ['enforced', 'simplified', 'in-prompt'];

export function schemaForms(): SchemaForms {
  const tried = new Map<string, number>();
  const of: SchemaForms['of'] = ({ schema }) => {
    if (!schema) return undefined;
    const key = JSON.stringify(schema.schema);
    for (let place = tried.get(key) ?? 0; ; place++) {
      const way = ways[place] ?? 'in-prompt';
      const formed = inForm(schema.schema, way);
      tried.set(key, Math.min(place, ways.length - 1));
      if (formed) return { way, schema: formed };
    }
  };
  return {
    of,
    refused(request) {
      const form = of(request);
      if (!form || form.way === 'in-prompt') return false;
      tried.set(JSON.stringify(request.schema!.schema), ways.indexOf(form.way) + 1);
      return true;
    },
  };
}

/** True where a 400 complains about the schema, or about schemas as such. */
export function isAboutSchema(words: string): boolean {
  return /output_config|output_format|structured output|json_schema|\bschema\b/i.test(words);
}

export function schemaInWords(schema: object): string {
  return (
    'Answer with one JSON value that keeps this JSON Schema, and nothing before or after it:\n' +
    JSON.stringify(schema)
  );
}
