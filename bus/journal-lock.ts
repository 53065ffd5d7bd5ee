/** Runs one piece of work at a time for each name, in the order in which they were asked for. */
export type Lock = <Result>(name: string, work: () => Promise<Result>) => Promise<Result>;

/** A lock within this process; between processes only the compare-and-set holds. */
export function openLock(): Lock {
  const last = new Map<string, Promise<unknown>>();
  return async (name, work) => {
    const before = last.get(name) ?? Promise.resolve();
    const mine = before.then(work, work);
    const settled = mine.catch(() => {});
    last.set(name, settled);
    try {
      return await mine;
    } finally {
      if (last.get(name) === settled) last.delete(name);
    }
  };
}
