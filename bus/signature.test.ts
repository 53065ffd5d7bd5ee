import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { expect, test } from 'vitest';
import { entryDigest, openSigner, openVerifier, partsOf, signatureCurve } from './signature.ts';

const inPem = (made: { privateKey: KeyObject; publicKey: KeyObject }) => ({
  privateKey: made.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  publicKey: made.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
});
const onCurve = () => inPem(generateKeyPairSync('ec', { namedCurve: signatureCurve }));
const keys = {
  'P-256': onCurve(),
  'Ed25519, of earlier installations': inPem(generateKeyPairSync('ed25519')),
};
const body = Buffer.from('{"id": "one"}');

const subject = 'yard.event.a';

test.each(Object.entries(keys))(
  'signature: with a key on %s it holds for its author, its subject, its bytes and what it names alone',
  (_, { privateKey, publicKey }) => {
    const sign = openSigner(privateKey);
    const verify = openVerifier({ coder: publicKey, router: onCurve().publicKey });
    const first = sign(subject, body);
    const second = sign(subject, body);
    expect(partsOf(first).before).toBe('');
    expect(partsOf(second).before).toBe(entryDigest(subject, body, first));
    for (const signature of [first, second]) {
      expect(verify('coder', subject, body, signature)).toBe(true);
      expect(verify('coder', 'yard.event.b', body, signature)).toBe(false);
      expect(verify('coder', subject, Buffer.from('{"id": "two"}'), signature)).toBe(false);
      expect(verify('router', subject, body, signature)).toBe(false);
      expect(verify('nobody', subject, body, signature)).toBe(false);
      const { own, before } = partsOf(signature);
      const another = entryDigest(subject, body, 'another');
      for (const broken of ['', 'x', '.', `.${before}`, own.slice(2), `${own}.${another}`, `${signature}.x`])
        expect(verify('coder', subject, body, broken), broken).toBe(false);
    }
    expect(verify('coder', subject, body, partsOf(second).own), 'names nothing any more').toBe(false);
  },
);

test('signature: whatever of an entry differs, or lies elsewhere in it, its digest is another', () => {
  const of = (one: string, other: string, bytes: string) => entryDigest(one, Buffer.from(bytes), other);
  const digests = [
    of('ab', 'cd', 'ef'),
    of('x', 'cd', 'ef'),
    of('ab', 'x', 'ef'),
    of('ab', 'cd', 'x'),
    of('a', 'bcd', 'ef'),
    of('ab', 'cde', 'f'),
    of('ab', '', 'cdef'),
    of('', '', 'abcdef'),
  ];
  expect(new Set(digests).size).toBe(digests.length);
  expect(of('ab', 'cd', 'ef')).toBe(digests[0]);
});
