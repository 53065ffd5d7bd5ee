import type { Annotations } from './annotate.ts';

/** The parts of JSON Schema that the configuration's schema is made of. */
export interface OptionSchema extends Annotations {
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  enum?: string[];
  minimum?: number;
  maximum?: number;
  minItems?: number;
  items?: OptionSchema;
  properties?: Record<string, OptionSchema>;
  patternProperties?: Record<string, OptionSchema>;
  required?: string[];
}

/** What an option accepts, in words for a message or a page. */
export function acceptedBy(schema: OptionSchema): string {
  if (schema.enum) return schema.enum.join(', ');
  if (schema.accepts) return schema.accepts;
  switch (schema.type) {
    case 'integer':
    case 'number':
      return `a ${schema.type === 'integer' ? 'whole ' : ''}number${range(schema)}`;
    case 'string':
      return schema.isPath ? 'a path' : 'a text';
    case 'boolean':
      return 'true, false';
    case 'array':
      return schema.items?.type === 'array'
        ? `a list of lists, each ${several(schema.items)}`
        : several(schema);
    case 'object':
      return schema.properties
        ? `a section with ${Object.keys(schema.properties).join(', ')}`
        : 'a section of entries by name';
    case undefined:
      return 'any value';
  }
}

function several(schema: OptionSchema): string {
  const [least, item] = [schema.minItems ?? 0, schema.items];
  const fewest = least > 0 ? `, at least ${least}` : '';
  if (item?.enum) return `a list of these: ${item.enum.join(', ')}${fewest}`;
  const what = item?.type === 'object' ? 'entries' : item?.isPath ? 'paths' : 'texts';
  return `a list of ${what}${fewest}`;
}

function range({ minimum, maximum }: OptionSchema): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return `, at least ${minimum}`;
  return maximum === undefined ? '' : `, at most ${maximum}`;
}
