import { Ajv, type ValidateFunction } from 'ajv';

/** Agents offer the same few tools and schemas again and again. */
const mostKept = 128;
const kept = new Map<string, ValidateFunction>();

/**
 * The validator of a JSON Schema, which finds all errors. It is made once and kept: making it takes milliseconds, for
 * which the first token of each call would wait. Throws an Error where the schema is none.
 */
export function validatorOf(schema: object): ValidateFunction {
  const key = JSON.stringify(schema);
  let validate = kept.get(key);
  // One of its own each: schemas may bear the same `$id` and differ.
  validate ??= new Ajv({ allErrors: true, strict: false, logger: false }).compile(schema);
  // The one that was used longest ago is the first to go.
  kept.delete(key);
  kept.set(key, validate);
  if (kept.size > mostKept) kept.delete(kept.keys().next().value!);
  return validate;
}

const wording = new Ajv();

/** What a validator found, in one line, such as `data/path must be string`. */
export const errorsText = (validate: ValidateFunction): string => wording.errorsText(validate.errors);
