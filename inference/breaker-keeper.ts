import { noBreaker, type Breaker } from '../schemas/breaker.ts';
import {
  breakerSettings,
  nextChange,
  observe,
  type BreakerChange,
  type BreakerFacts,
  type BreakerSettings,
  type Observation,
  type PoolQueue,
  type Tally,
} from './breaker.ts';
import type { CallBreaker, CallLog } from './call-breaker.ts';

/** A breaker as it was read, to append after. */
export interface ReadBreaker {
  breaker: Breaker;
  /** Names the tail of the journal. */
  tail: unknown;
}

/** The journals of breakers; bus/breaker.ts fits. */
export interface BreakerJournals {
  read(pool: string): Promise<ReadBreaker>;
  /** By compare-and-set; `undefined`: another was first, or it is not known to be stored. */
  append(
    pool: string,
    after: ReadBreaker,
    change: BreakerChange,
    atMs: number,
  ): Promise<ReadBreaker | undefined>;
}

export interface KeeperOptions {
  process: string;
  pools: readonly string[];
  journals: BreakerJournals;
  /** Asks a model of the pool something trivial; never throws. The signal ends it when its time is over. */
  probe(pool: string, timeoutMs: number): Promise<{ isWell: boolean; why: string }>;
  /** How long the pool's queue is; undefined where it is not known, or cannot be too long. */
  queueOf(pool: string): Promise<PoolQueue | undefined>;
  /** How many processes serve the pool. */
  workersOf(pool: string): number;
  log: CallLog;
  /** Milliseconds since 1970 UTC. */
  now(): number;
  settings?: BreakerSettings;
}

export interface BreakerKeeper extends CallBreaker {
  /** Looks at every pool once: called every second. Never throws. */
  tick(): Promise<void>;
}

const mostCallsKept = 1000;

/** Keeps the breakers of the pools that a process serves: counts, changes them by compare-and-set, and probes. */
export function openBreakerKeeper(options: KeeperOptions): BreakerKeeper {
  const { journals, log, now, process, settings = breakerSettings } = options;
  const tallies = new Map<string, Tally>();
  const breakers = new Map<string, Breaker>();
  const probed = new Map<string, BreakerFacts['probed']>();
  const probing = new Set<string>();
  const looking = new Set<string>();
  /** Ends of workers that were counted, by call. */
  const crashes = new Map<string, number>();
  let counted = 0;

  function seen(pool: string, observation: Observation): void {
    tallies.set(pool, observe(tallies.get(pool) ?? [], observation, settings));
    if (observation.cause) void look(pool);
  }

  /** One look at a time a pool; what comes in between is seen by the next tick. */
  async function look(pool: string): Promise<void> {
    if (looking.has(pool)) return;
    looking.add(pool);
    try {
      const read = await journals.read(pool);
      breakers.set(pool, read.breaker);
      const queue = await options.queueOf(pool);
      const facts = {
        atMs: now(),
        process,
        tally: tallies.get(pool) ?? [],
        workers: options.workersOf(pool),
        queue,
        probed: probed.get(pool),
      };
      const change = nextChange(read.breaker, facts, settings);
      if (!change) return;
      const after = await journals.append(pool, read, change, facts.atMs);
      if (!after) return;
      breakers.set(pool, after.breaker);
      log.warn({ pool, why: change.why, untilMs: change.untilMs, trips: change.trips }, change.type);
    } catch (error) {
      log.warn({ pool, error }, 'a breaker could not be looked at');
    } finally {
      looking.delete(pool);
      startProbe(pool);
    }
  }

  function startProbe(pool: string): void {
    const breaker = breakers.get(pool);
    if (breaker?.phase !== 'half-open' || breaker.probe !== process || probing.has(pool)) return;
    const { sinceMs, untilMs } = breaker;
    if (probed.get(pool)?.sinceMs === sinceMs) return;
    probing.add(pool);
    const timeoutMs = Math.max(1000, Math.round((untilMs - now()) * 0.9));
    const asked = async () => options.probe(pool, timeoutMs);
    void asked()
      .catch((error: unknown) => ({ isWell: false, why: `the probe failed: ${String(error)}` }))
      .then((came) => void probed.set(pool, { sinceMs, ...came }))
      .finally(() => probing.delete(pool))
      .then(() => look(pool));
  }

  return {
    restOf(pool) {
      const breaker = breakers.get(pool) ?? noBreaker;
      // What already waits in too long a queue is worked off; it is only that no more comes.
      if (breaker.phase !== 'open' || breaker.why.startsWith('overload')) return undefined;
      return { sinceMs: breaker.sinceMs, untilMs: breaker.untilMs, why: breaker.why };
    },
    succeeded(pool, model) {
      counted += 1;
      seen(pool, { key: `${process} ${counted}`, model, atMs: now() });
    },
    failed(pool, model, { cause, retryAfterMs }) {
      counted += 1;
      seen(pool, { key: `${process} ${counted}`, model, atMs: now(), cause, retryAfterMs });
    },
    crashed({ pool, model, callId, epoch }, worker) {
      // A worker that ended took its tally with it: its successor counts by what the call's journal says. One worker that
      // ends is one failure, however many calls it was on.
      for (let past = (crashes.get(callId) ?? 0) + 1; past < epoch; past += 1)
        seen(pool, { key: `${callId} ${past}`, model, atMs: now(), cause: 'crash' });
      seen(pool, { key: worker, model, atMs: now(), cause: 'crash' });
      crashes.set(callId, epoch);
      if (crashes.size > mostCallsKept) crashes.delete(crashes.keys().next().value!);
    },
    async tick() {
      await Promise.all(options.pools.map(look));
    },
  };
}
