import type { DataOf, EventOf } from './catalogue.ts';
import { shortType } from './envelope.ts';
import type { Stored } from './service.ts';

/** What was counted when a breaker changed. */
export interface BreakerCounts {
  failures: number;
  successes: number;
  /** Failures by cause. */
  causes: Record<string, number>;
}

/** A pool's breaker as its journal says it is. Times in milliseconds since 1970 UTC. */
export interface Breaker {
  phase: 'closed' | 'open' | 'half-open';
  why: string;
  sinceMs: number;
  /** Open: when it may be probed. Half-open: until when the probe must be back. Closed: until when another opening is the same trouble. */
  untilMs: number;
  /** Openings in a row; each rests longer. */
  trips: number;
  counts: BreakerCounts;
  /** The process that probes. */
  probe?: string;
}

export const noBreaker: Breaker = {
  phase: 'closed',
  why: '',
  sinceMs: 0,
  untilMs: 0,
  trips: 0,
  counts: { failures: 0, successes: 0, causes: {} },
};

export function evolveBreaker(breaker: Breaker, stored: Stored): Breaker {
  const type = shortType(stored.event.type) as EventOf<'mesh'>;
  switch (type) {
    case 'breaker.opened':
    case 'breaker.closed': {
      const { given, why, untilMs, trips, counts } = stored.event.data as DataOf<typeof type>;
      const phase = type === 'breaker.opened' ? 'open' : 'closed';
      return { phase, why, sinceMs: given.atMs, untilMs, trips, counts };
    }
    case 'breaker.half_opened': {
      const { given, why, untilMs, trips, counts, probe } = stored.event.data as DataOf<typeof type>;
      return { phase: 'half-open', why, sinceMs: given.atMs, untilMs, trips, counts, probe };
    }
    case 'mesh.dead_lettered':
    case 'mesh.mode':
    case 'mesh.crash':
      return breaker;
  }
}
