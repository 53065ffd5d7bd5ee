import { closest, distance } from 'fastest-levenshtein';
import type { TSchema } from 'typebox';
import { fillDefaults } from '../schemas/defaults.ts';
import { mistakesIn, type Mistake } from '../schemas/mistakes.ts';
import { acceptedBy, type OptionSchema } from './accepted.ts';
import type { Path } from './yaml-file.ts';

/** Something wrong with an option, without its place. */
export interface Problem {
  path: Path;
  what: string;
}

/** Fills in the defaults (in `data` itself) and says everything that is wrong; empty = valid. */
export function fillAndCheck(schema: TSchema, data: unknown): Problem[] {
  fillDefaults(schema, data);
  return mistakesIn(schema, data).map((mistake) => problemOf(mistake, data));
}

/** `mesh.leaseMs`, `routes[0].when`: how people name an option; names with other characters are quoted. */
export function optionName(path: Path): string {
  const parts = path.map((step) => {
    if (typeof step === 'number') return `[${step}]`;
    return /^[A-Za-z0-9_-]+$/.test(step) ? `.${step}` : `["${step}"]`;
  });
  return parts.join('').replace(/^\./, '');
}

/** `; did you mean "coder"?` when one of the names is near enough, else nothing. */
export function nearest(found: string, names: string[]): string {
  if (names.length === 0 || found.length > 80) return '';
  const lower = names.map((one) => one.toLowerCase());
  const name = names[lower.indexOf(closest(found.toLowerCase(), lower))]!;
  const isNear =
    distance(found.toLowerCase(), name.toLowerCase()) <= Math.max(2, Math.floor(name.length / 3));
  return isNear ? `; did you mean "${name}"?` : '';
}

function problemOf(mistake: Mistake, root: unknown): Problem {
  const path = pathOf(mistake.pointer, root);
  const schema = mistake.schema as OptionSchema;
  const { found, property = '' } = mistake;
  switch (mistake.keyword) {
    case 'additionalProperties':
      return { path: [...path, property], what: unknownName(property, schema) };
    case 'required': {
      const missing = schema.properties?.[property] ?? {};
      return { path, what: `"${property}" is missing; accepted: ${acceptedBy(missing)}` };
    }
    default: {
      const near = schema.enum && typeof found === 'string' ? nearest(found, schema.enum) : '';
      return { path, what: `${shown(found, schema)}; accepted: ${acceptedBy(schema)}${near}` };
    }
  }
}

function unknownName(name: string, schema: OptionSchema): string {
  const names = Object.keys(schema.properties ?? {});
  if (names.length === 0)
    return 'this is no name for an entry; accepted: letters, digits and . _ : # / @ + -';
  return `there is no such option; accepted: ${names.join(', ')}${nearest(name, names)}`;
}

function shown(value: unknown, schema: OptionSchema): string {
  if (value === null) return 'it has no value';
  // A key or a password pasted into the wrong option must not end up in a terminal's scrollback or a log.
  if (schema.mayBeSecret && typeof value === 'string') return 'this value (not shown) does not fit';
  if (typeof value === 'string') return `found the text ${JSON.stringify(cut(value))}`;
  if (Array.isArray(value)) return value.length === 0 ? 'the list is empty' : 'found a list';
  if (typeof value === 'object') return 'found a section';
  return `found ${String(value)}`;
}

const cut = (text: string) => (text.length > 60 ? `${text.slice(0, 60)}...` : text);

/** A JSON pointer with list places as numbers. */
function pathOf(pointer: string, root: unknown): Path {
  let value: unknown = root;
  return pointer
    .split('/')
    .slice(1)
    .map((raw) => {
      const step = raw.replaceAll('~1', '/').replaceAll('~0', '~');
      const isPlace = Array.isArray(value);
      value = (value as Record<string, unknown> | undefined)?.[step];
      return isPlace ? Number(step) : step;
    });
}
