import { expect, test } from 'vitest';
import { entryDigest, keysDigest } from './ledger.ts';
import type { PublicKeys } from './signature.ts';

test('ledger: whatever of an entry differs, or lies elsewhere in it, its digest is another', () => {
  const of = (subject: string, signature: string, body: string) =>
    entryDigest(subject, signature, Buffer.from(body)).toString('hex');
  const digests = [
    of('ab', 'cd', 'ef'),
    of('x', 'cd', 'ef'),
    of('ab', 'x', 'ef'),
    of('ab', 'cd', 'x'),
    of('a', 'bcd', 'ef'),
    of('ab', 'cde', 'f'),
    of('ab', '', 'cdef'),
    of('', '', '2 2\nabcdef'),
  ];
  expect(new Set(digests).size).toBe(digests.length);
  expect(of('ab', 'cd', 'ef')).toBe(digests[0]);
});

test('ledger: keys are the same in any order, and others where one or its role is', () => {
  const digest = keysDigest({ coder: 'A', router: 'B' });
  expect(keysDigest({ router: 'B', coder: 'A' })).toBe(digest);
  const others: PublicKeys[] = [{ coder: 'A' }, { coder: 'B', router: 'A' }, { coder: 'A', router: 'C' }];
  for (const other of others) expect(keysDigest(other)).not.toBe(digest);
});
