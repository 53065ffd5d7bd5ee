import type { JsonSchema } from './json-schema.ts';

/** Words that only explain. */
const explains = new Set([
  '$schema',
  '$id',
  '$comment',
  'title',
  'description',
  'examples',
  'default',
  'x-switchyard',
]);
/** Words that are compared one by one below; any other that differs cannot be judged, and counts as a break. */
const judged = new Set(
  (
    'type enum const anyOf properties required additionalProperties patternProperties items pattern format uniqueItems ' +
    'minimum maximum exclusiveMinimum exclusiveMaximum minLength maxLength minItems maxItems minProperties maxProperties'
  ).split(' '),
);
const lowerBounds = ['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties'];
const upperBounds = ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties'];
/** Those that may be dropped, but neither added nor changed. */
const exact = ['pattern', 'format', 'uniqueItems'];

const equal = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);
const asSchema = (value: unknown): JsonSchema =>
  typeof value === 'object' && value !== null ? (value as JsonSchema) : {};
const constrains = (schema: JsonSchema) => Object.keys(schema).some((word) => !explains.has(word));

function typesOf(schema: JsonSchema): string[] | undefined {
  if (typeof schema['type'] === 'string') return [schema['type']];
  return Array.isArray(schema['type']) ? (schema['type'] as string[]) : undefined;
}

function valuesOf(schema: JsonSchema): unknown[] | undefined {
  if ('const' in schema) return [schema['const']];
  return Array.isArray(schema['enum']) ? schema['enum'] : undefined;
}

function typeBreaks(old: JsonSchema, next: JsonSchema, path: string): string[] {
  const allowed = typesOf(next);
  if (!allowed) return [];
  // A list of values says what types there are without a word about them.
  const before = typesOf(old) ?? valuesOf(old)?.map((value) => (value === null ? 'null' : typeof value));
  if (!before) return [`${path}: may now only be ${allowed.join(' or ')}`];
  const fits = (type: string) => allowed.includes(type) || (type === 'integer' && allowed.includes('number'));
  return before.every(fits)
    ? []
    : [`${path}: its type changed from ${before.join(' or ')} to ${allowed.join(' or ')}`];
}

function valueBreaks(old: JsonSchema, next: JsonSchema, path: string): string[] {
  const allowed = valuesOf(next);
  if (!allowed) return [];
  const before = valuesOf(old);
  if (!before) return [`${path}: may now only be ${allowed.map(String).join(', ')}`];
  const gone = before.filter((value) => !allowed.some((one) => equal(one, value)));
  return gone.length === 0 ? [] : [`${path}: may no longer be ${gone.map(String).join(', ')}`];
}

function boundBreaks(old: JsonSchema, next: JsonSchema, path: string): string[] {
  const breaks: string[] = [];
  for (const [words, open, isTighter] of [
    [lowerBounds, -Infinity, (one: number, other: number) => one > other],
    [upperBounds, Infinity, (one: number, other: number) => one < other],
  ] as const) {
    for (const word of words) {
      const before = typeof old[word] === 'number' ? old[word] : open;
      const now = typeof next[word] === 'number' ? next[word] : open;
      if (isTighter(now, before))
        breaks.push(`${path}: ${word} is now ${now}${Number.isFinite(before) ? `, it was ${before}` : ''}`);
    }
  }
  for (const word of exact) {
    if (next[word] !== undefined && !equal(old[word], next[word]))
      breaks.push(`${path}: ${word} is now ${String(next[word])}`);
  }
  return breaks;
}

function propertyBreaks(old: JsonSchema, next: JsonSchema, path: string): string[] {
  const breaks: string[] = [];
  const before = asSchema(old['properties']);
  const now = asSchema(next['properties']);
  const wasRequired = new Set((old['required'] as string[] | undefined) ?? []);
  const isRequired = new Set((next['required'] as string[] | undefined) ?? []);
  for (const [name, schema] of Object.entries(before)) {
    const at = `${path}.${name}`;
    if (!Object.hasOwn(now, name)) breaks.push(`${at}: was removed, and readers may rely on it`);
    else breaks.push(...breaksOf(asSchema(schema), asSchema(now[name]), at));
  }
  for (const name of isRequired) {
    if (wasRequired.has(name)) continue;
    const what = Object.hasOwn(before, name) ? 'was optional and is now required' : 'is new and required';
    breaks.push(`${path}.${name}: ${what}, which messages sent so far do not fulfil`);
  }
  for (const name of wasRequired) {
    if (!isRequired.has(name) && Object.hasOwn(now, name)) {
      breaks.push(`${path}.${name}: was required and is now optional, and readers may rely on it`);
    }
  }
  breaks.push(...restBreaks(old, next, path));
  return breaks;
}

/** What may stand in an object beside the properties that are named. */
function restBreaks(old: JsonSchema, next: JsonSchema, path: string): string[] {
  const breaks: string[] = [];
  const before = old['additionalProperties'] ?? true;
  const now = next['additionalProperties'] ?? true;
  if (now === false && before !== false) breaks.push(`${path}: other properties are no longer allowed`);
  else if (typeof now === 'object' && before !== false) {
    breaks.push(...breaksOf(before === true ? {} : asSchema(before), asSchema(now), `${path}.*`));
  }
  const patterns = asSchema(old['patternProperties']);
  for (const [pattern, schema] of Object.entries(asSchema(next['patternProperties']))) {
    breaks.push(...breaksOf(asSchema(patterns[pattern]), asSchema(schema), `${path}.*`));
  }
  return breaks;
}

/** The alternatives of a union; anything else is a union of one. */
const membersOf = (schema: JsonSchema): JsonSchema[] =>
  Array.isArray(schema['anyOf']) ? (schema['anyOf'] as JsonSchema[]) : [schema];

function unionBreaks(old: JsonSchema, next: JsonSchema, path: string): string[] {
  const after = membersOf(next);
  return membersOf(old).flatMap((member, index) => {
    const attempts = after.map((one) => breaksOf(member, one, path));
    if (attempts.some((breaks) => breaks.length === 0)) return [];
    const nearest = attempts.toSorted((one, other) => one.length - other.length)[0]!;
    return [`${path}: alternative ${index + 1} is gone or was narrowed (${nearest.join('; ')})`];
  });
}

function breaksOf(old: JsonSchema, next: JsonSchema, path: string): string[] {
  if (!constrains(next) || equal(old, next)) return [];
  const strange = [...new Set([...Object.keys(old), ...Object.keys(next)])].filter(
    (word) => !explains.has(word) && !judged.has(word) && !equal(old[word], next[word]),
  );
  if (strange.length > 0) return [`${path}: ${strange.join(', ')} changed, which cannot be judged`];
  if (old['anyOf'] || next['anyOf']) return unionBreaks(old, next, path);
  const items =
    next['items'] === undefined ? [] : breaksOf(asSchema(old['items']), asSchema(next['items']), `${path}[]`);
  const breaks = [...typeBreaks(old, next, path), ...valueBreaks(old, next, path)];
  // A changed type says it all; what follows from it would only hide it.
  if (breaks.length > 0) return breaks;
  return [...boundBreaks(old, next, path), ...propertyBreaks(old, next, path), ...items];
}

/**
 * Why a schema may not take the place of the published one under the same version; empty = it may.
 * Everything that was valid must stay valid, since journals are read for ever, and readers must find what they were
 * promised. So a new optional property or a wider range is fine, while to remove, to require or to narrow is not.
 * Adding an alternative or a value counts as wider: readers must expect what they do not know.
 */
export function incompatibilities(published: JsonSchema, next: JsonSchema): string[] {
  const breaks = breaksOf(published, next, 'data');
  const before = asSchema(published['x-switchyard']);
  const now = asSchema(next['x-switchyard']);
  for (const what of ['kind', 'journal']) {
    if (!equal(before[what], now[what]))
      breaks.push(`${what}: changed from ${String(before[what])} to ${String(now[what])}`);
  }
  const lost = ((before['consumedBy'] as string[] | undefined) ?? []).filter(
    (one) => !((now['consumedBy'] as string[] | undefined) ?? []).includes(one),
  );
  if (lost.length > 0) breaks.push(`consumedBy: no longer goes to ${lost.join(', ')}`);
  return breaks;
}
