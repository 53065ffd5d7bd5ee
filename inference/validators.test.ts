import { expect, test } from 'vitest';
import { errorsText, validatorOf } from './validators.ts';

const schemaOf = (place: number) => ({
  $id: 'https://example.invalid/same',
  type: 'object',
  properties: { path: { type: 'string', minLength: place } },
  required: ['path'],
});

test('validators: the same schema is compiled once, however it came', () => {
  const validate = validatorOf(schemaOf(1));
  expect(validatorOf(structuredClone(schemaOf(1)))).toBe(validate);
  expect(validate({ path: 'a' })).toBe(true);
  expect(validate({ path: 7 })).toBe(false);
  expect(errorsText(validate)).toBe('data/path must be string');
});

test('validators: schemas of one $id are told apart, and those that were not used for long are let go', () => {
  const first = validatorOf(schemaOf(1));
  const second = validatorOf(schemaOf(2));
  expect([first({ path: 'a' }), second({ path: 'a' })]).toEqual([true, false]);
  for (let place = 3; place < 200; place++) {
    validatorOf(schemaOf(place));
    expect(validatorOf(schemaOf(1))).toBe(first);
  }
  expect(validatorOf(schemaOf(2))).not.toBe(second);
});

test('validators: what is no schema is refused', () => {
  expect(() => validatorOf({ type: 'nonsense' })).toThrow(/type/);
});
