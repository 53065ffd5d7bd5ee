import type { TSchema, TProperties } from 'typebox';

/** What our own annotations add to a schema: they end up in error messages and in the docs. */
export interface Annotations {
  description?: string;
  default?: unknown;
  /** The accepted values in words, where the schema's own words (a pattern) say little. */
  accepts?: string;
  /** True where the value may be a secret by mistake, so that a message must not show it. */
  mayBeSecret?: boolean;
  /** In the file, a path that is relative to the file's folder or begins with `~/`. */
  isPath?: boolean;
}

/** The same schemas, each with a default from `defaults`; the static types stay as they are. */
export function withDefaults<Properties extends TProperties>(
  properties: Properties,
  defaults: Record<keyof Properties & string, unknown>,
): Properties {
  const annotated: Record<string, TSchema> = {};
  for (const [name, schema] of Object.entries(properties))
    annotated[name] = { ...schema, default: defaults[name] } as TSchema;
  return annotated as Properties;
}

/** One property a name, all of the same schema, each with its own default and description. */
export function propertyEach<const Name extends string, Schema extends TSchema>(
  defaults: Record<Name, unknown>,
  schema: Schema,
  describe: (name: Name) => string,
): Record<Name, Schema> {
  const properties = {} as Record<Name, Schema>;
  for (const name of Object.keys(defaults) as Name[]) {
    properties[name] = { ...schema, default: defaults[name], description: describe(name) };
  }
  return properties;
}
