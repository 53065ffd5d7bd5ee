import { generateKeyPairSync } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { entryDigest, openSigner, openVerifier, partsOf, signatureCurve, type Verify } from './signature.ts';
import { openVouching } from './vouching.ts';

interface Entry {
  author: string;
  subject: string;
  body: Uint8Array;
  signature: string;
}

const authors = ['coder', 'router'];
const keys = Object.fromEntries(
  authors.map((author) => [
    author,
    generateKeyPairSync('ec', {
      namedCurve: signatureCurve,
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    }),
  ]),
);
const verify = openVerifier(
  Object.fromEntries(Object.entries(keys).map(([author, { publicKey }]) => [author, publicKey])),
);

/** Somebody who writes with an author's key. */
function openProcess(author: string) {
  const sign = openSigner(keys[author]!.privateKey);
  return (text: string, subject = 'yard.event.a'): Entry => {
    const body = Buffer.from(text);
    return { author, subject, body, signature: sign(subject, body) };
  };
}
const write = openProcess('coder');
const another = openProcess('coder');
const router = openProcess('router');
const [one, two, three, four] = ['one', 'two', 'three', 'four'].map((text) => write(text)) as [
  Entry,
  Entry,
  Entry,
  Entry,
];
const [fromAnother, fromAnotherNext] = [another('one'), another('two')];
/** The router says it in the coder's name, and goes on in its own. */
const pretended = { ...router('pretended'), author: 'coder' };
const [fromRouter, fromRouterNext] = [router('one'), router('two')];
const alone = ['one', 'two', 'three'].map((text) => openProcess('coder')(text));

const digestOf = ({ subject, body, signature }: Entry) => entryDigest(subject, body, signature);
const naming = (entry: Entry, named: Entry) => ({
  ...entry,
  signature: `${partsOf(entry.signature).own}.${digestOf(named)}`,
});
const forged = { ...two, body: Buffer.from('forged') };
const garbled = { ...two, signature: two.signature.replace(/^../, 'AA') };
const elsewhere = { ...two, subject: 'yard.event.b' };
const falsely = naming(three, forged);

const cases: Record<string, { entries: Entry[]; believed: boolean[]; checks: number }> = {
  'what one process wrote': {
    entries: [one, two, three, four],
    believed: [true, true, true, true],
    checks: 1,
  },
  'what several wrote': {
    entries: [one, fromAnother, fromRouter, two, fromRouterNext, three, fromAnotherNext],
    believed: [true, true, true, true, true, true, true],
    checks: 3,
  },
  'one that lost its race': { entries: [one, two, four], believed: [true, true, true], checks: 2 },
  'two that were stored in the other order': {
    entries: [one, three, two, four],
    believed: [true, true, true, true],
    checks: 2,
  },
  'what is stored twice': { entries: [one, two, two, three], believed: [true, true, true, true], checks: 1 },
  'signatures that name nothing': { entries: alone, believed: [true, true, true], checks: 3 },
  'the end of a batch': { entries: [one, two], believed: [true, true], checks: 1 },
  'other bytes': { entries: [one, forged, three], believed: [true, false, true], checks: 3 },
  'another signature': { entries: [one, garbled, three], believed: [true, false, true], checks: 3 },
  'a copy on another journal': {
    entries: [one, elsewhere, two, three],
    believed: [true, false, true, true],
    checks: 2,
  },
  'one that names what nobody signed': { entries: [forged, falsely], believed: [false, false], checks: 2 },
  'a forged one that names an authentic one': {
    entries: [one, two, naming(four, two)],
    believed: [true, true, false],
    checks: 2,
  },
  "another author's next": {
    entries: [pretended, fromRouter],
    believed: [false, true],
    checks: 2,
  },
};

test.each(Object.entries(cases))('vouching: %s', (_, { entries, believed, checks }) => {
  const isSignedAlone = ({ author, subject, body, signature }: Entry) =>
    verify(author, subject, body, signature);
  expect(entries.map(isSignedAlone), 'each by itself').toEqual(believed);
  const verifying = vi.fn<Verify>(verify);
  const isSigned = openVouching(verifying);
  const backwards = entries
    .toReversed()
    .map(({ author, subject, body, signature }) => isSigned(author, subject, body, signature));
  expect(backwards.reverse()).toEqual(believed);
  expect(verifying).toHaveBeenCalledTimes(checks);
});
