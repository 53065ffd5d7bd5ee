import { createPrivateKey, createPublicKey, hash, sign, verify, type KeyObject } from 'node:crypto';

/**
 * An event is signed by its author for the journal it stands on. Permissions of the broker hold what a role may
 * publish, but JetStream itself can be made to deliver a stored message to a subject its asker may not publish to;
 * such a message was never signed for that journal, and folding rejects it.
 */
export const signatureHeader = 'Switchyard-Signature';

/** Public keys in PEM by role. */
export type PublicKeys = Record<string, string>;

const message = (subject: string, body: Uint8Array) =>
  Buffer.concat([Buffer.from(`${subject}\n`), hash('sha256', body, 'buffer')]);

/**
 * New keys are on P-256: checking takes half the time that Ed25519 takes in OpenSSL, and whoever reads the record checks
 * each of its entries.
 */
export const signatureCurve = 'P-256';

/** Keys on Ed25519, which earlier installations have, bring their own digest. */
const digestFor = (key: KeyObject) => (key.asymmetricKeyType === 'ed25519' ? null : 'sha256');

/** Signs for one role. `privateKey` is in PEM, on P-256 or Ed25519. */
export function openSigner(privateKey: string): (subject: string, body: Uint8Array) => string {
  const key = createPrivateKey(privateKey);
  const digest = digestFor(key);
  return (subject, body) => sign(digest, message(subject, body), key).toString('base64url');
}

/** Tells whether `author` signed these bytes for this subject. */
export function openVerifier(
  publicKeys: PublicKeys,
): (author: string, subject: string, body: Uint8Array, signature: string) => boolean {
  const keys = new Map<string, KeyObject>();
  return (author, subject, body, signature) => {
    const pem = publicKeys[author];
    if (!pem) return false;
    const key = keys.get(author) ?? createPublicKey(pem);
    keys.set(author, key);
    return verify(digestFor(key), message(subject, body), key, Buffer.from(signature, 'base64url'));
  };
}

/** The same beside the main thread, for who checks many: several at a time, on as many processors as there are. */
export function openVerifierAside(
  publicKeys: PublicKeys,
): (author: string, subject: string, body: Uint8Array, signature: string) => Promise<boolean> {
  const keys = new Map<string, KeyObject>();
  return (author, subject, body, signature) => {
    const pem = publicKeys[author];
    if (!pem) return Promise.resolve(false);
    const key = keys.get(author) ?? createPublicKey(pem);
    keys.set(author, key);
    return new Promise((resolve, reject) =>
      verify(
        digestFor(key),
        message(subject, body),
        key,
        Buffer.from(signature, 'base64url'),
        (error, isValid) => (error ? reject(error) : resolve(isValid)),
      ),
    );
  };
}
