/** A JSON Schema, as far as a grammar can hold a model to it. */
export type Schema = Record<string, unknown>;

/** Rules of a GBNF grammar by name; `root` is where a text begins. */
export type Rules = Map<string, string>;

/** A longer string is left unbounded: llama.cpp writes each repetition out. */
const longestCounted = 512;
/** Integers of this many values are listed one by one. */
const mostListed = 64;

/**
 * Adds the rules under which a text is JSON that keeps `schema`, and returns what to write where it shall stand. Numbers
 * have a bounded length and white space is at most one space, so that a model cannot go on for ever with either. What a
 * grammar cannot say (a pattern, a format, a sum of conditions) is left to whoever validates the text.
 */
export function jsonRules(schema: unknown, rules: Rules, root: unknown = schema): string {
  if (!isSchema(schema)) return anyValue(rules);
  if (typeof schema['$ref'] === 'string') return reference(schema['$ref'], rules, root);
  if ('const' in schema) return literal(schema['const']);
  if (Array.isArray(schema['enum'])) return oneOf(schema['enum'].map(literal));
  const choices = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(choices)) return oneOf(choices.map((each) => jsonRules(each, rules, root)));
  if (Array.isArray(schema['allOf'])) return jsonRules(merged(schema, root), rules, root);
  const type = schema['type'];
  if (Array.isArray(type))
    return oneOf(type.map((each) => jsonRules({ ...schema, type: each }, rules, root)));
  if (type === 'object' || (type === undefined && isSchema(schema['properties'])))
    return object(schema, rules, root);
  if (type === 'array') return array(schema, rules, root);
  if (type === 'string') return string(schema, rules);
  if (type === 'integer' || type === 'number') return number(schema, type);
  if (type === 'boolean') return '("true" | "false")';
  if (type === 'null') return '"null"';
  return anyValue(rules);
}

/** The rules as llama.cpp reads them. */
export function grammarText(rules: Rules): string {
  return [...rules].map(([name, body]) => `${name} ::= ${body}`).join('\n');
}

/** A text that stands in a grammar as it is. */
export function quoted(text: string): string {
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t');
  return `"${escaped}"`;
}

/** Where a space may stand: after a colon or a comma. */
export const space = '" "?';

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const literal = (value: unknown): string => quoted(JSON.stringify(value));
const oneOf = (choices: string[]): string => `(${choices.join(' | ')})`;
const countOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined;

/** A part of the same schema, as a rule of its own, so that it may refer to itself. */
function reference(pointer: string, rules: Rules, root: unknown): string {
  const name = `ref${pointer.replaceAll(/[^A-Za-z0-9]+/g, '-')}`;
  if (rules.has(name)) return name;
  let target: unknown = pointer.startsWith('#') ? root : undefined;
  for (const part of pointer.split('/').slice(1)) {
    const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
    target = isSchema(target) || Array.isArray(target) ? (target as Schema)[key] : undefined;
  }
  // Taken before its body is known.
  rules.set(name, '');
  rules.set(name, jsonRules(target, rules, root));
  return name;
}

/** Objects that must all hold, as one; of anything else the first. */
function merged(schema: Schema, root: unknown): Schema {
  const { allOf, ...rest } = schema;
  const parts = [rest, ...(allOf as unknown[])].filter(isSchema).map((part) => {
    const ref = part['$ref'];
    return typeof ref === 'string' && ref.startsWith('#/') ? (resolved(ref, root) ?? part) : part;
  });
  return parts.reduce((whole, part) => ({
    ...part,
    ...whole,
    ...(isSchema(part['properties']) || isSchema(whole['properties'])
      ? { properties: { ...(part['properties'] as object), ...(whole['properties'] as object) } }
      : {}),
    ...(Array.isArray(part['required']) || Array.isArray(whole['required'])
      ? { required: [...((whole['required'] as []) ?? []), ...((part['required'] as []) ?? [])] }
      : {}),
  }));
}

function resolved(pointer: string, root: unknown): Schema | undefined {
  let target: unknown = root;
  for (const key of pointer.split('/').slice(1)) target = isSchema(target) ? target[key] : undefined;
  return isSchema(target) ? target : undefined;
}

function object(schema: Schema, rules: Rules, root: unknown): string {
  const properties = isSchema(schema['properties']) ? schema['properties'] : {};
  const required = new Set(Array.isArray(schema['required']) ? (schema['required'] as string[]) : []);
  const names = [...new Set([...Object.keys(properties), ...required])];
  if (names.length === 0) return map(schema, rules, root);
  const member = (name: string) =>
    `${quoted(`${JSON.stringify(name)}:`)} ${space} ${jsonRules(properties[name], rules, root)}`;
  const comma = `"," ${space}`;
  const must = names.filter((name) => required.has(name)).map(member);
  const may = names.filter((name) => !required.has(name)).map(member);
  const after = (members: string[]) => members.map((each) => `(${comma} ${each})?`).join(' ');
  if (must.length > 0) return `("{" ${must.join(` ${comma} `)} ${after(may)} "}")`;
  const beginnings = may.map((each, place) => `${each} ${after(may.slice(place + 1))}`);
  return `("{" (${beginnings.join(' | ')})? "}")`;
}

/** An object whose keys nobody has named. */
function map(schema: Schema, rules: Rules, root: unknown): string {
  if (schema['additionalProperties'] === false) return '"{}"';
  const value = jsonRules(schema['additionalProperties'], rules, root);
  const pair = `${string({}, rules)} ":" ${space} ${value}`;
  return `("{" (${pair} ("," ${space} ${pair})*)? "}")`;
}

function array(schema: Schema, rules: Rules, root: unknown): string {
  const first = [schema['prefixItems'], schema['items']].find((each) => Array.isArray(each));
  const comma = `"," ${space}`;
  if (first) return `("[" ${first.map((each) => jsonRules(each, rules, root)).join(` ${comma} `)} "]")`;
  const item = jsonRules(schema['items'], rules, root);
  const least = Math.min(countOf(schema['minItems']) ?? 0, longestCounted);
  const most = countOf(schema['maxItems']);
  if (most === 0) return '"[]"';
  const upper = most === undefined || most > longestCounted ? '' : String(most - 1);
  const more = `(${comma} ${item}){${Math.max(0, least - 1)},${upper}}`;
  return least === 0 ? `("[" (${item} ${more})? "]")` : `("[" ${item} ${more} "]")`;
}

function string(schema: Schema, rules: Rules): string {
  rules.set(
    'char',
    // Only what is a character: a model that writes bytes may come to numbers that are none.
    String.raw`[\x20\x21\x23-\x5B\x5D-\x7E\u0080-\uD7FF\uE000-\U0010FFFF] | "\\" (["\\bfnrt/] | "u" [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F])`,
  );
  const least = Math.min(countOf(schema['minLength']) ?? 0, longestCounted);
  const most = countOf(schema['maxLength']);
  if (least === 0 && (most === undefined || most > longestCounted)) {
    rules.set('string', String.raw`"\"" char* "\""`);
    return 'string';
  }
  const upper = most === undefined || most > longestCounted ? '' : most;
  return String.raw`("\"" char{${least},${upper}} "\"")`;
}

function number(schema: Schema, type: 'integer' | 'number'): string {
  const [least, most] = [schema['minimum'], schema['maximum']];
  const isListed =
    type === 'integer' &&
    typeof least === 'number' &&
    typeof most === 'number' &&
    most >= least &&
    most - least < mostListed;
  if (isListed) {
    const from = Math.ceil(least);
    const values = Array.from({ length: Math.floor(most) - from + 1 }, (_, place) => from + place);
    if (values.length > 0) return oneOf(values.map(literal));
  }
  const sign = typeof least === 'number' && least >= 0 ? '' : '"-"? ';
  const whole = '("0" | [1-9] [0-9]{0,14})';
  return type === 'integer' ? `(${sign}${whole})` : `(${sign}${whole} ("." [0-9]{1,15})?)`;
}

function anyValue(rules: Rules): string {
  if (!rules.has('value')) {
    rules.set('value', '');
    const text = string({}, rules);
    const pair = `${text} ":" ${space} value`;
    rules.set(
      'value',
      `${text} | ${number({}, 'number')} | "true" | "false" | "null" | "{" (${pair} ("," ${space} ${pair})*)? "}" | "[" (value ("," ${space} value)*)? "]"`,
    );
  }
  return 'value';
}
