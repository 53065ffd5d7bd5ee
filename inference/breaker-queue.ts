import type { PoolQueue } from './breaker.ts';
import type { CallLoad } from './call-load.ts';

/** What a process knows of a pool's workers from their heartbeats. */
export interface PoolWorker {
  models?: { pool: string; slots: number }[];
}

/** Calls that all workers of a pool answer at a time: models of one worker share its slots. */
export function slotsOfPool(pool: string, workers: readonly PoolWorker[]): number {
  return workers.reduce((sum, { models = [] }) => {
    const slots = models.filter((model) => model.pool === pool).map((model) => model.slots);
    return sum + Math.max(0, ...slots);
  }, 0);
}

/**
 * How long a pool's queue is. Asked of the broker only while this worker's own slots are all taken: a worker that has
 * one free takes what waits. Undefined where that is so, or where no call has ended yet by which to judge.
 */
export async function queueOfPool(options: {
  pool: string;
  ownSlots: number;
  workers: readonly PoolWorker[];
  load: CallLoad;
  nowMs: number;
  waiting(pool: string): Promise<number>;
}): Promise<PoolQueue | undefined> {
  const { pool, ownSlots, workers, load, nowMs } = options;
  if (load.busy(pool) < ownSlots) return undefined;
  const callMs = load.callMs(pool, nowMs);
  if (callMs === undefined) return undefined;
  const slots = Math.max(ownSlots, slotsOfPool(pool, workers));
  return { waiting: await options.waiting(pool), slots, callMs };
}
