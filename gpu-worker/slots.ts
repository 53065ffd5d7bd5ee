/** One parallel sequence of a worker, as far as choosing goes. */
export interface Slot {
  place: number;
  isBusy: boolean;
  /** The run that it last served, whose messages are probably still in its cache. */
  runId: string | undefined;
  /** Counts up with every use; 0: never used. */
  lastUse: number;
}

export interface Slots {
  /** Waits for a free slot; rejects with the signal's reason where that comes first. */
  take(runId: string | undefined, signal: AbortSignal): Promise<Slot>;
  giveBack(slot: Slot): void;
  free(): number;
  queued(): number;
}

interface Waiting {
  runId: string | undefined;
  resolve(slot: Slot): void;
}

/**
 * Hands out `count` slots. A run gets the slot that served it last, else the one that was idle longest, since its cache
 * is missed least. Who waits gets the next free slot in turn, a run that holds none before one that does.
 */
export function openSlots(count: number): Slots {
  const slots: Slot[] = Array.from({ length: count }, (_, place) => ({
    place,
    isBusy: false,
    runId: undefined,
    lastUse: 0,
  }));
  const waiting: Waiting[] = [];
  let uses = 0;

  function occupy(slot: Slot, runId: string | undefined): Slot {
    slot.isBusy = true;
    slot.runId = runId;
    slot.lastUse = ++uses;
    return slot;
  }

  function choose(runId: string | undefined): Slot | undefined {
    const idle = slots.filter((slot) => !slot.isBusy);
    const own = runId === undefined ? undefined : idle.find((slot) => slot.runId === runId);
    return own ?? idle.toSorted((left, right) => left.lastUse - right.lastUse)[0];
  }

  function serveNext(): void {
    const held = (runId: string | undefined) =>
      slots.filter((slot) => slot.isBusy && slot.runId === runId && runId !== undefined).length;
    const next = waiting.toSorted((left, right) => held(left.runId) - held(right.runId))[0];
    if (!next) return;
    const slot = choose(next.runId);
    if (!slot) return;
    waiting.splice(waiting.indexOf(next), 1);
    next.resolve(occupy(slot, next.runId));
  }

  return {
    take(runId, signal) {
      if (signal.aborted) return Promise.reject(signal.reason as Error);
      const slot = waiting.length === 0 ? choose(runId) : undefined;
      if (slot) return Promise.resolve(occupy(slot, runId));
      return new Promise((resolve, reject) => {
        const leave = () => {
          waiting.splice(waiting.indexOf(one), 1);
          reject(signal.reason as Error);
        };
        const one: Waiting = {
          runId,
          resolve(taken) {
            signal.removeEventListener('abort', leave);
            resolve(taken);
          },
        };
        signal.addEventListener('abort', leave, { once: true });
        waiting.push(one);
      });
    },
    giveBack(slot) {
      slot.isBusy = false;
      serveNext();
    },
    free: () => slots.filter((slot) => !slot.isBusy).length,
    queued: () => waiting.length,
  };
}
