/** Lets those who write step together. */
export interface Rounds {
  /** Does one step of the writer at `place`, together with those of all others that write at the time. */
  step<Result>(place: number, work: () => Promise<Result>): Promise<Result>;
}

/**
 * A batch is only as quick as it is full: without this, whoever gets its token a moment later than the others misses
 * the next batch, and half of the batches hold one sequence. A round begins when the last one has ended; its writers
 * begin in the order of their places. Who writes alone waits for nobody.
 */
export function openRounds(): Rounds {
  let inFlight = 0;
  let isBeginning = false;
  let ready: { place: number; begin(): void }[] = [];

  function beginRound(): void {
    isBeginning = false;
    const round = ready.toSorted((left, right) => left.place - right.place);
    ready = [];
    inFlight = round.length;
    for (const { begin } of round) begin();
  }

  function ended(): void {
    inFlight -= 1;
    if (inFlight > 0 || ready.length === 0) return;
    // The last to end wants to step again too, as soon as it has looked at its token.
    isBeginning = true;
    setImmediate(beginRound);
  }

  return {
    async step(place, work) {
      if (inFlight > 0 || isBeginning) await new Promise<void>((begin) => void ready.push({ place, begin }));
      else inFlight += 1;
      try {
        return await work();
      } finally {
        ended();
      }
    },
  };
}
