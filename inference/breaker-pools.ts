import type { Backend, ModelDefinition } from './backend.ts';
import { openBreakerKeeper, type BreakerJournals, type BreakerKeeper } from './breaker-keeper.ts';
import { probeModels } from './breaker-probe.ts';
import { queueOfPool, type PoolWorker } from './breaker-queue.ts';
import type { BreakerSettings } from './breaker.ts';
import type { CallLog } from './call-breaker.ts';
import type { CallLoad } from './call-load.ts';

/** What a process that serves models must give for the breakers of their pools to be kept. */
export interface PoolBreakers {
  /** Its instance id. */
  process: string;
  models: readonly ModelDefinition[];
  backendOf(name: string): Backend | Promise<Backend>;
  /** Calls that it answers at a time in each of its pools. */
  slots: number;
  load: CallLoad;
  journals: BreakerJournals;
  /** Calls that wait for a worker of the pool. */
  waiting(pool: string): Promise<number>;
  /** Everyone alive. */
  workers(): readonly PoolWorker[];
  log: CallLog;
  now(): number;
  settings?: BreakerSettings;
}

/** Keeps the breakers of all pools whose models a process serves; its `tick` is to be called every second. */
export function openPoolBreakers(options: PoolBreakers): BreakerKeeper {
  const { process, models, backendOf, slots, load, journals, waiting, log, now, settings } = options;
  return openBreakerKeeper({
    process,
    pools: [...new Set(models.map((model) => model.pool))],
    journals,
    probe(pool, timeoutMs) {
      const probed = models.filter((model) => model.pool === pool);
      return probeModels(probed, backendOf, AbortSignal.timeout(timeoutMs));
    },
    queueOf(pool) {
      const workers = options.workers();
      return queueOfPool({ pool, ownSlots: slots, workers, load, nowMs: now(), waiting });
    },
    workersOf: (pool) =>
      options.workers().filter(({ models: served = [] }) => served.some((one) => one.pool === pool)).length,
    log,
    now,
    ...(settings ? { settings } : {}),
  });
}
