import { expect, test } from 'vitest';
import { differencesOf } from './difference.ts';

test('difference: what is equal as JSON is equal, whatever the order or what is left out', () => {
  expect(differencesOf({ a: 1, b: [{ c: 2 }] }, { b: [{ c: 2, d: undefined }], a: 1 })).toEqual([]);
});

test('difference: each place is named by its path', () => {
  expect(differencesOf({ a: { b: [1, 2] }, c: 'x' }, { a: { b: [1, 3, 4] } }, 'data')).toEqual([
    { path: 'data.a.b[1]', stored: 2, decided: 3 },
    { path: 'data.a.b[2]', stored: undefined, decided: 4 },
    { path: 'data.c', stored: 'x', decided: undefined },
  ]);
});

test('difference: a list is no object, and null is not nothing', () => {
  expect(differencesOf([], {})).toHaveLength(1);
  expect(differencesOf({ a: null }, {})).toEqual([{ path: 'a', stored: null, decided: undefined }]);
  expect(differencesOf('a', 'b')).toEqual([{ path: '(whole)', stored: 'a', decided: 'b' }]);
});
