import { expect, test } from 'vitest';
import { withoutPassword } from './without-password.ts';

test.each([
  ['https://user:secret@mirror.example/debian/', 'https://mirror.example/debian/'],
  ['https://user:se@cret@mirror.example/debian/', 'https://mirror.example/debian/'],
  ['https://mirror.example/debian/@scope', 'https://mirror.example/debian/@scope'],
  ['https://mirror.example?at=a@b', 'https://mirror.example?at=a@b'],
])('address for a screen: %s', (url, shown) => {
  expect(withoutPassword(url)).toBe(shown);
});
