import type { State } from './state.ts';

/**
 * Makes a function that gives one text to all states that differ only in which process of a role is which, or
 * in the order of the queue. Successive states share most of their parts, so each distinct part is spelled out
 * once, given a number, and then looked up by identity.
 */
export function newCanonical(): (state: State) => string {
  const numberOfText = new Map<string, number>();
  // It lives as long as one search; a WeakMap would make that a quarter slower.
  const numberOfPart = new Map<object, number>();

  function numberOf(part: object, spell: (part: object) => string): number {
    const known = numberOfPart.get(part);
    if (known !== undefined) return known;
    const text = spell(part);
    let number = numberOfText.get(text);
    if (number === undefined) {
      number = numberOfText.size;
      numberOfText.set(text, number);
    }
    numberOfPart.set(part, number);
    return number;
  }

  const numbersOf = (parts: readonly object[]): number[] =>
    parts.map((part) => numberOf(part, JSON.stringify)).toSorted((one, other) => one - other);

  /** Spells a record regardless of the order in which its keys came. */
  const spellRecord = (record: object): string =>
    Object.entries(record)
      .map(([key, value]) => `${key}:${typeof value === 'object' ? numberOf(value, JSON.stringify) : value}`)
      .toSorted()
      .join();

  return ({
    processes,
    messages,
    journals,
    published,
    left,
    performed,
    leasesEnded,
    stopsAcked,
    ...state
  }) => {
    const records = [journals, published, left, performed, leasesEnded, stopsAcked];
    const numbers = records.map((record) => numberOf(record, spellRecord));
    return `${numbersOf(processes)};${numbersOf(messages)};${numbers};${state.restSweepsLeft}`;
  };
}
