import { hash } from 'node:crypto';
import type { PublicKeys } from './signature.ts';

/** That the entry at this place was signed by its author; `digest` is `entryDigest` of what was checked. */
export interface Checked {
  sequence: number;
  digest: Uint8Array;
}

/**
 * What a reader of the record has checked already, so that it need not check it again when it reads from the beginning.
 * It holds only entries that checked out, under the keys that were believed then; whatever is not in it, or is not byte
 * for byte what it was, is checked. It is for this one reader: whoever could write its ledger could write what it knows
 * of the record, which lies beside it, and nobody else is told or asks; all others go on checking.
 */
export interface Ledger {
  /** Digests of what was checked at these ascending places, by place; some may be missing. Never throws. */
  at(places: readonly number[]): ReadonlyMap<number, Uint8Array>;
  /** Takes in what was just checked; some of it may be lost. Never throws. */
  note(checked: readonly Checked[]): void;
}

/** SHA-256 of all that the check of a signature looks at. Lengths go first, so that no two entries make the same bytes. */
export function entryDigest(subject: string, signature: string, body: Uint8Array): Buffer {
  const head = Buffer.from(`${subject.length} ${signature.length}\n${subject}${signature}`);
  return hash('sha256', Buffer.concat([head, body]), 'buffer');
}

/** Tells these keys and whose they are from any others. */
export function keysDigest(publicKeys: PublicKeys): string {
  const byRole = Object.entries(publicKeys).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return hash('sha256', JSON.stringify(byRole));
}
