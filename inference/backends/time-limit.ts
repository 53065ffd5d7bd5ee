/** Watches over one call: ends it when the caller cancels, when it takes too long, or when it falls silent. */
export interface TimeLimit {
  /** To be given to whatever does the work. */
  signal: AbortSignal;
  /** Something was heard. From the first time on, a silence longer than `idleMs` ends the call. */
  alive(): void;
  /** Why the call was ended, if it was. */
  ended(): 'cancelled' | 'timeout' | 'silence' | undefined;
  /** Stops the clocks and lets go of what is still open; to be called when the call is over, however it ended. */
  release(): void;
}

/** Node's timers hold no more, and would ring at once: 24 days. */
const mostMs = 2 ** 31 - 1;

/** Starts the clocks. The silence before the first word does not count as such: a long prompt is read first. */
export function limitTime(caller: AbortSignal, limits: { totalMs: number; idleMs: number }): TimeLimit {
  const controller = new AbortController();
  let reason: 'cancelled' | 'timeout' | 'silence' | undefined;
  const end = (why: NonNullable<typeof reason>) => {
    reason ??= why;
    controller.abort();
  };
  const cancel = () => end('cancelled');
  const total = setTimeout(() => end('timeout'), Math.min(limits.totalMs, mostMs));
  let idle: NodeJS.Timeout | undefined;
  if (caller.aborted) cancel();
  else caller.addEventListener('abort', cancel, { once: true });
  return {
    signal: controller.signal,
    alive() {
      if (idle) idle.refresh();
      else idle = setTimeout(() => end('silence'), Math.min(limits.idleMs, mostMs));
    },
    ended: () => reason,
    release() {
      clearTimeout(total);
      clearTimeout(idle);
      caller.removeEventListener('abort', cancel);
      controller.abort();
    },
  };
}
