import { Type } from 'typebox';
import { expect, test } from 'vitest';
import { fillDefaults } from './defaults.ts';

const Entry = Type.Object({
  timeoutMs: Type.Integer({ default: 5 }),
  tags: Type.Array(Type.String(), { default: [] }),
});
const schema = Type.Object({
  name: Type.String({ default: 'mesh' }),
  limits: Type.Object(
    { hops: Type.Integer({ default: 5 }), cost: Type.Optional(Type.Integer()) },
    { default: {} },
  ),
  entries: Type.Record(Type.String({ pattern: '^[a-z]+$' }), Entry),
  list: Type.Array(Entry),
});

test('defaults: whatever is left out is filled in at any depth, and what is there stays', () => {
  const value = { limits: { hops: 1 }, entries: { one: {}, two: { timeoutMs: 9 } }, list: [{}] };
  fillDefaults(schema, value);
  const filled = { timeoutMs: 5, tags: [] };
  expect(value).toEqual({
    name: 'mesh',
    limits: { hops: 1 },
    entries: { one: filled, two: { ...filled, timeoutMs: 9 } },
    list: [filled],
  });
});

test('defaults: they are filled into a default too, and are nobody else’s', () => {
  const [one, other]: { limits?: { hops: number } }[] = [{}, {}];
  fillDefaults(schema, one);
  one!.limits!.hops = 9;
  fillDefaults(schema, other);
  expect(other!.limits).toEqual({ hops: 5 });
});

test.each([undefined, null, 'text', 4, []])('defaults: %o is no place for any', (value) => {
  expect(() => fillDefaults(schema, value)).not.toThrow();
});
