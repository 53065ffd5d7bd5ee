import { entryDigest, partsOf, type Verify } from './signature.ts';

/**
 * Verifies what it is asked of from the last entry of the record to the first, with few checks. A valid signature names
 * what its author signed before, so that entry, byte for byte and on its subject, was signed by the same author and needs
 * no check of its own; nor does what it names in turn. What no later entry of its author names is checked by itself: the
 * last that each process wrote, what two appends at once stored in the other order, and what lost a race before the next
 * was signed. No entry vouches for itself by a detour: its digest would have to be part of what it is the digest of.
 */
export function openVouching(verify: Verify): Verify {
  /** Authors by the digests that they name. */
  const named = new Map<string, string>();
  return (author, subject, body, signature) => {
    const isSigned =
      named.get(entryDigest(subject, body, signature)) === author || verify(author, subject, body, signature);
    // Only what is signed vouches, and for its own author alone.
    if (isSigned) named.set(partsOf(signature).before, author);
    return isSigned;
  };
}
