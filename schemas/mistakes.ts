import type { TSchema } from 'typebox';
import { Settings } from 'typebox/system';
import { Pointer, Value } from 'typebox/value';

/** One thing that is wrong with a value by its schema. */
export interface Mistake {
  /** The keyword of JSON Schema that is broken. */
  keyword: string;
  /** JSON pointer to the part that breaks it; '' is the whole. */
  pointer: string;
  /** What that part is. */
  found: unknown;
  /** The schema of that part. */
  schema: TSchema;
  /** In English, without the place: `must be string`. */
  message: string;
  /** The property that is missing, or that the schema does not know. */
  property?: string;
}

// Whoever made several mistakes is told of all of them at once, but nobody reads thousands.
Settings.Set({ maxErrors: 200 });

/**
 * What is wrong with a value by a schema of our own; empty = valid. Schemas are walked as they stand: every process checks
 * a few dozen values by many schemas, and to compile one takes longer than to walk it a thousand times.
 */
export function mistakesIn(schema: TSchema, value: unknown): Mistake[] {
  if (Value.Check(schema, value)) return [];
  const errors = Value.Errors(schema, value);
  // It sums up what was said of each property by itself.
  const told = errors.filter(({ keyword }) => keyword !== 'additionalProperties');
  return (told.length > 0 ? told : errors).flatMap((error) => {
    const found = Pointer.Get(value, error.instancePath);
    const at = { keyword: error.keyword, pointer: error.instancePath, found };
    const part = Pointer.Get(schema, error.schemaPath.slice(1)) as TSchema;
    if (error.keyword === 'boolean') {
      const steps = error.instancePath.split('/');
      const property = Pointer.Indices(error.instancePath).at(-1)!;
      const parent = Pointer.Get(
        schema,
        error.schemaPath.slice(1, error.schemaPath.lastIndexOf('/')),
      ) as TSchema;
      return {
        ...{ keyword: 'additionalProperties', pointer: steps.slice(0, -1).join('/'), found, property },
        ...{ schema: parent, message: `unknown property "${property}"` },
      };
    }
    if (error.keyword === 'required')
      return error.params.requiredProperties.map((property) => ({
        ...{ ...at, schema: part, property },
        message: `must have the property "${property}"`,
      }));
    if (error.keyword === 'enum')
      return { ...at, schema: part, message: `must be one of ${error.params.allowedValues.join(', ')}` };
    return { ...at, schema: part, message: error.message };
  });
}

/** A mistake in one line, with the place as people write it: `data.path: must be string`. `whole`: the value's name. */
export function mistakeText({ pointer, message }: Mistake, whole: string, prefix = ''): string {
  const where = Pointer.Indices(pointer).join('.');
  return `${where === '' ? whole : prefix + where}: ${message}`;
}
