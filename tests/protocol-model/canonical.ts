import type { State } from './state.ts';

/**
 * Makes a function that gives one text to all states that differ only in which process of a role is which, or
 * in the order of the queue. Successive states share most of their parts, so each distinct part is spelled out
 * once, given a number, and then looked up by identity.
 */
export function newCanonical(): (state: State) => string {
  const numberOfText = new Map<string, number>();
  const marks = newMarks();

  function numberOf(part: object, spell: (part: object) => string): number {
    const known = marks.of(part);
    if (known !== undefined) return known;
    const text = spell(part);
    let number = numberOfText.get(text);
    if (number === undefined) {
      number = numberOfText.size;
      numberOfText.set(text, number);
    }
    marks.put(part, number);
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

/** Numbers that objects bear unseen: a map of the millions there are would be most of a search's time. */
function newMarks() {
  class Bearer {
    constructor(object: object) {
      return object;
    }
  }
  class Marked extends Bearer {
    readonly #number: number;
    constructor(object: object, number: number) {
      super(object);
      this.#number = number;
    }
    static of(object: object): number | undefined {
      return #number in object ? object.#number : undefined;
    }
  }
  return {
    of: (object: object) => Marked.of(object),
    put: (object: object, number: number) => void new Marked(object, number),
  };
}
