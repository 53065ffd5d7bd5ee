import { Ajv, type Options } from 'ajv';

/**
 * Compiles schemas of our own, which stand in the code and which a test holds to the standard. Every process does so when
 * it starts: to check them there again, and to polish the code that comes out, would take twice as long.
 */
export const openChecker = (options: Options = {}): Ajv =>
  new Ajv({
    allErrors: true,
    strict: false,
    meta: false,
    validateSchema: false,
    code: { optimize: false },
    ...options,
  });
