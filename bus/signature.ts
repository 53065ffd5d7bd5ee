import { createPrivateKey, createPublicKey, hash, sign, verify, type KeyObject } from 'node:crypto';

/**
 * An event is signed by its author for the journal it stands on. Permissions of the broker hold what a role may
 * publish, but JetStream itself can be made to deliver a stored message to a subject its asker may not publish to;
 * such a message was never signed for that journal, and folding rejects it.
 */
export const signatureHeader = 'Switchyard-Signature';

/** Public keys in PEM by role. */
export type PublicKeys = Record<string, string>;

/** Tells whether `author` signed these bytes for this subject; `signature` is the value of the header. */
export type Verify = (author: string, subject: string, body: Uint8Array, signature: string) => boolean;

/** No subject holds a line's end: what is signed for one is for no other. */
const message = (subject: string, body: Uint8Array, before: string) =>
  Buffer.concat([
    Buffer.from(before ? `${subject}\n${before}\n` : `${subject}\n`),
    hash('sha256', body, 'buffer'),
  ]);

/**
 * New keys are on P-256: checking takes half the time that Ed25519 takes in OpenSSL, and whoever reads the record checks
 * each of its entries.
 */
export const signatureCurve = 'P-256';

/** Keys on Ed25519, which earlier installations have, bring their own digest. */
const digestFor = (key: KeyObject) => (key.asymmetricKeyType === 'ed25519' ? null : 'sha256');

/**
 * Signs for one role. `privateKey` is in PEM, on P-256 or Ed25519. The header's value is `SIGNATURE` and, from the second
 * on, `SIGNATURE.DIGEST`: the digest of the entry that was signed before, which the signature covers. So whoever finds it
 * valid knows that one for authentic too (`vouching.ts`). That what was signed is never stored does no harm.
 */
export function openSigner(privateKey: string): (subject: string, body: Uint8Array) => string {
  const key = createPrivateKey(privateKey);
  const digest = digestFor(key);
  let before = '';
  return (subject, body) => {
    const signature = sign(digest, message(subject, body, before), key).toString('base64url');
    const value = before ? `${signature}.${before}` : signature;
    before = entryDigest(subject, body, value);
    return value;
  };
}

export function openVerifier(publicKeys: PublicKeys): Verify {
  const keys = new Map<string, KeyObject>();
  return (author, subject, body, signature) => {
    const pem = publicKeys[author];
    if (!pem) return false;
    const key = keys.get(author) ?? createPublicKey(pem);
    keys.set(author, key);
    const { own, before } = partsOf(signature);
    return verify(digestFor(key), message(subject, body, before), key, Buffer.from(own, 'base64url'));
  };
}

/** The header's value apart; `before` is the digest of what its author signed before, or empty. */
export function partsOf(signature: string): { own: string; before: string } {
  const dot = signature.indexOf('.');
  return dot < 0
    ? { own: signature, before: '' }
    : { own: signature.slice(0, dot), before: signature.slice(dot + 1) };
}

/** SHA-256 of all that makes an entry, in base64url. Neither a subject nor a header's value holds a line's end. */
export function entryDigest(subject: string, body: Uint8Array, signature: string): string {
  return hash('sha256', `${subject}\n${signature}\n${hash('sha256', body)}`, 'base64url');
}
