import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { expect, test } from 'vitest';
import { openSigner, openVerifier, openVerifierAside, signatureCurve } from './signature.ts';

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

test.each(Object.entries(keys))(
  'signature: with a key on %s it holds for its author, its subject and its bytes alone',
  async (_, { privateKey, publicKey }) => {
    const signature = openSigner(privateKey)('yard.event.a', body);
    const stranger = onCurve().publicKey;
    const publicKeys = { coder: publicKey, router: stranger };
    for (const verify of [openVerifier(publicKeys), openVerifierAside(publicKeys)]) {
      expect(await verify('coder', 'yard.event.a', body, signature)).toBe(true);
      expect(await verify('coder', 'yard.event.b', body, signature)).toBe(false);
      expect(await verify('coder', 'yard.event.a', Buffer.from('{"id": "two"}'), signature)).toBe(false);
      expect(await verify('router', 'yard.event.a', body, signature)).toBe(false);
      expect(await verify('nobody', 'yard.event.a', body, signature)).toBe(false);
      for (const broken of ['', 'x', signature.slice(2)])
        expect(await verify('coder', 'yard.event.a', body, broken)).toBe(false);
    }
  },
);
