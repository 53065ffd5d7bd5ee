import type { BatchItem, LlamaContext, PrioritizedBatchItem } from 'node-llama-cpp';

/** What of a context's queue is looked at; the binding does not show it. */
interface Queue {
  _queuedDecodes?: readonly { sequenceId: number }[];
}

/**
 * How a batch is filled: one token of every sequence first, so that a long prompt holds nobody up, then as much as fits,
 * in equal shares; and in the order of the sequences. The order is what makes a batch quick: sampling ends in any order,
 * so the queue is shuffled, and llama.cpp computes together only tokens of sequences that follow one another. Shuffled,
 * eight sequences take three times as long as in order, no better than one after the other. Fewer than `together` are
 * computed one by one.
 */
export function inOrderOfSequences(
  context: () => LlamaContext | undefined,
  together: () => number = () => 1,
) {
  return ({ items, size }: { items: readonly BatchItem[]; size: number }): PrioritizedBatchItem[] => {
    const queue = (context() as unknown as Queue | undefined)?._queuedDecodes;
    // The items are those of the queue, in its order; should another version differ, it is only slower.
    const isKnown = queue?.length === items.length;
    const placeOf = (place: number) => (isKnown ? queue[place]!.sequenceId : place);
    const isSlowTogether = items.length < together() && items.every((one) => one.tokens.length === 1);
    const inOrder = sharesOf(items, size)
      .map((processAmount, place) => ({ item: items[place]!, processAmount, order: placeOf(place) }))
      .filter((one) => one.processAmount > 0)
      .toSorted((left, right) => left.order - right.order)
      .map(({ item, processAmount }) => ({ item, processAmount }));
    // What is left in the queue comes next.
    return isSlowTogether ? inOrder.slice(0, 1) : inOrder;
  };
}

/** How many tokens of each item go into a batch of `size`. */
export function sharesOf(items: readonly { tokens: readonly unknown[] }[], size: number): number[] {
  const shares = items.map(() => 0);
  let left = size;
  let wanting = items.map((_, place) => place).filter((place) => items[place]!.tokens.length > 0);
  while (left > 0 && wanting.length > 0) {
    const each = Math.max(1, Math.floor(left / wanting.length));
    for (const place of wanting) {
      const given = Math.min(each, items[place]!.tokens.length - shares[place]!, left);
      shares[place]! += given;
      left -= given;
    }
    wanting = wanting.filter((place) => shares[place]! < items[place]!.tokens.length);
  }
  return shares;
}
