/** The parts of JSON Schema in which a default can lie. */
interface Part {
  default?: unknown;
  items?: Part;
  properties?: Record<string, Part>;
  patternProperties?: Record<string, Part>;
}

/** Gives every property that is left out the default of its schema, in the value itself and at any depth. */
export function fillDefaults(schema: object, value: unknown): void {
  const { items, properties = {}, patternProperties = {} } = schema as Part;
  if (Array.isArray(value)) for (const item of items ? value : []) fillDefaults(items!, item);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  const holder = value as Record<string, unknown>;
  for (const [name, part] of Object.entries(properties)) {
    if (holder[name] === undefined && part.default !== undefined)
      holder[name] = structuredClone(part.default);
    fillDefaults(part, holder[name]);
  }
  for (const [pattern, part] of Object.entries(patternProperties))
    for (const [name, one] of Object.entries(holder))
      if (!Object.hasOwn(properties, name) && new RegExp(pattern, 'u').test(name)) fillDefaults(part, one);
}
