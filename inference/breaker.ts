import type { Breaker, BreakerCounts } from '../schemas/breaker.ts';
import { failureCauses, type FailureCause } from '../schemas/call.ts';

export interface BreakerSettings {
  /** Failed attempts within the window that open it. */
  failures: number;
  windowMs: number;
  /** The first rest; each that follows at once is twice as long. */
  firstRestMs: number;
  longestRestMs: number;
  /** How long a probe may take. */
  probeMs: number;
  /** For how long after a closing another opening counts as the same trouble. */
  forgetMs: number;
  /** A queue whose last call would wait longer than this is an overload. */
  overloadMs: number;
}

export const breakerSettings: BreakerSettings = {
  failures: 5,
  windowMs: 60_000,
  firstRestMs: 5000,
  longestRestMs: 300_000,
  probeMs: 60_000,
  forgetMs: 600_000,
  overloadMs: 120_000,
};

/** One attempt of a call, or the end of a worker that was on one. */
export interface Observation {
  /** The same key is counted once. */
  key: string;
  model: string;
  atMs: number;
  /** Absent: it succeeded. */
  cause?: FailureCause;
  /** How long the provider asked us to wait. */
  retryAfterMs?: number | undefined;
}

/** What a process has seen of a pool lately. */
export type Tally = readonly Observation[];

/** Calls that wait for a worker of the pool, what its workers answer at a time, and how long a call takes. */
export interface PoolQueue {
  waiting: number;
  slots: number;
  callMs: number;
}

export interface BreakerFacts {
  atMs: number;
  process: string;
  tally: Tally;
  /** Processes that serve the pool; each sees its share of the failures. */
  workers?: number;
  queue?: PoolQueue | undefined;
  /** What this process's probe came to; `sinceMs` names the half-opening that it was made for. */
  probed?: { sinceMs: number; isWell: boolean; why: string } | undefined;
}

/** A change of a breaker, as its event says it. */
export interface BreakerChange {
  type: 'breaker.opened' | 'breaker.half_opened' | 'breaker.closed';
  why: string;
  untilMs: number;
  trips: number;
  counts: BreakerCounts;
  queue?: PoolQueue;
  probe?: string;
}

/** What is the fault of one request, or follows from a breaker, says nothing of the pool. */
const uncounted: readonly FailureCause[] = ['request', 'schema', 'breaker', 'late'];
/** A pool under load makes thousands of attempts a minute; so many tell as much. */
const mostKept = 1000;

/** However many processes share the failures, a few of one call may be an accident. */
const fewestFailures = 3;

/** The tally with one more observation, without what is older than the window; the same key is counted once. */
export function observe(tally: Tally, seen: Observation, settings: BreakerSettings): Tally {
  if (seen.cause && uncounted.includes(seen.cause)) return tally;
  if (tally.some(({ key }) => key === seen.key)) return tally;
  return [...tally.filter(({ atMs }) => atMs > seen.atMs - settings.windowMs), seen].slice(-mostKept);
}

/**
 * The next change of a breaker, if there is one. Closed, it opens on failures or overload. Open, it half-opens when
 * its rest is over, with one probe. Half-open, that probe closes it or opens it for a longer rest; if the process that
 * probes is gone, another probes after a while. The same breaker and facts always give the same change.
 */
export function nextChange(
  breaker: Breaker,
  facts: BreakerFacts,
  settings: BreakerSettings,
): BreakerChange | undefined {
  const { atMs, process, probed, queue } = facts;
  const tally = facts.tally.filter((one) => one.atMs > Math.max(breaker.sinceMs, atMs - settings.windowMs));
  const counts = countsOf(tally);
  const told = { counts, ...(queue ? { queue } : {}) };
  const overload = overloadOf(queue, settings);
  const opened = (why: string, trips: number): BreakerChange => ({
    type: 'breaker.opened',
    why,
    untilMs: atMs + restMs(trips, tally, settings),
    trips,
    ...told,
  });
  const halfOpened = (why: string): BreakerChange => ({
    type: 'breaker.half_opened',
    why,
    untilMs: atMs + settings.probeMs,
    trips: breaker.trips,
    probe: process,
    ...told,
  });

  switch (breaker.phase) {
    case 'closed': {
      const share = Math.ceil(settings.failures / Math.max(1, facts.workers ?? 1));
      const why = failing(tally, Math.max(fewestFailures, share), settings) ?? overload;
      if (why === undefined) return undefined;
      return opened(why, atMs < breaker.untilMs ? breaker.trips + 1 : 1);
    }
    case 'open': {
      if (atMs < breaker.untilMs) return undefined;
      return halfOpened(`it rested for ${seconds(breaker.untilMs - breaker.sinceMs)}`);
    }
    case 'half-open': {
      if (breaker.probe !== process || probed?.sinceMs !== breaker.sinceMs) {
        return atMs < breaker.untilMs
          ? undefined
          : halfOpened(`no word came of the probe by ${breaker.probe}`);
      }
      if (!probed.isWell) return opened(probed.why, breaker.trips + 1);
      if (overload !== undefined) return opened(overload, breaker.trips + 1);
      const untilMs = atMs + settings.forgetMs;
      return { type: 'breaker.closed', why: probed.why, untilMs, trips: breaker.trips, ...told };
    }
  }
}

/** Why the pool fails: a model of it fails most attempts, and no other model of it answers. */
function failing(tally: Tally, most: number, settings: BreakerSettings): string | undefined {
  const failures = tally.filter(({ cause }) => cause !== undefined);
  for (const model of new Set(failures.map((one) => one.model))) {
    const tried = tally.filter((one) => one.model === model);
    const failed = tried.filter(({ cause }) => cause !== undefined);
    if (failed.length < most || failed.length * 2 <= tried.length) continue;
    const anotherAnswers = tally.some((one) => one.model !== model && one.cause === undefined);
    if (anotherAnswers) continue;
    const causes = Object.entries(countsOf(failed).causes).map(([cause, count]) => `${count} ${cause}`);
    return `${failed.length} of ${tried.length} attempts of ${model} failed within ${seconds(settings.windowMs)} (${causes.join(', ')})`;
  }
  return undefined;
}

function overloadOf(queue: PoolQueue | undefined, settings: BreakerSettings): string | undefined {
  if (!queue || queue.slots < 1) return undefined;
  const { waiting, slots, callMs } = queue;
  const clearMs = (waiting * callMs) / slots;
  if (clearMs <= settings.overloadMs) return undefined;
  return `overload: ${waiting} calls wait, and its ${slots} slots at ${seconds(callMs)} a call need ${seconds(clearMs)} for them`;
}

function countsOf(tally: Tally): BreakerCounts {
  const causes: Record<string, number> = {};
  for (const cause of failureCauses) {
    const count = tally.filter((one) => one.cause === cause).length;
    if (count > 0) causes[cause] = count;
  }
  const failures = Object.values(causes).reduce((sum, count) => sum + count, 0);
  return { failures, successes: tally.length - failures, causes };
}

/** Twice as long each time, and as long as the provider asks for. */
function restMs(trips: number, tally: Tally, settings: BreakerSettings): number {
  const { firstRestMs, longestRestMs } = settings;
  const asked = Math.max(0, ...tally.map((one) => one.retryAfterMs ?? 0));
  return Math.min(longestRestMs, Math.max(asked, firstRestMs * 2 ** Math.min(trips - 1, 20)));
}

const seconds = (milliseconds: number) => `${Math.round(milliseconds / 100) / 10} s`;
