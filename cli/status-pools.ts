import type { Backlog } from '../bus/backlog.ts';
import type { Heartbeat, ServedModel } from '../bus/registry.ts';
import { span, type Span } from '../observability/span.ts';
import { countText, durationText } from '../observability/wording.ts';
import { noBreaker, type Breaker } from '../schemas/breaker.ts';
import { tableOf } from './table.ts';

/** A process that serves a model of a pool. */
export interface PoolWorker {
  process: string;
  host: string;
  pid: number;
  model: string;
  backend: string;
  quantisation?: string;
  contextTokens: number;
  slots: number;
  freeSlots: number;
  /** Calls that it took and that wait inside it. */
  queued: number;
  /** Of all its replies together, in the last seconds; absent where it cannot tell. */
  tokensPerSecond?: number;
  /** Of one reply, over those of the last minute; absent where there was none. */
  replyTokensPerSecond?: number;
  memoryBytes: number;
  gpuMemoryBytes?: number;
  /** Percent. */
  gpuUtilisation?: number;
  threads: number;
}

export interface PoolView {
  pool: string;
  breaker: Breaker;
  /** Calls that no worker has taken yet. */
  waiting: number;
  /** Calls that workers are on. */
  inHand: number;
  slots: number;
  freeSlots: number;
  tokensPerSecond: number;
  workers: PoolWorker[];
}

const queueOf = (pool: string) => `pool-${pool}`;

/** The pools that are worth a look: configured ones, those that a living worker serves, and those in which calls wait. */
export function poolNames(configured: readonly string[], living: Heartbeat[], backlogs: Backlog[]): string[] {
  const served = living.flatMap((one) => (one.models ?? []).map((model) => model.pool));
  const asked = backlogs
    .filter((one) => one.waiting + one.inHand > 0 && one.consumer.startsWith(queueOf('')))
    .map((one) => one.consumer.slice(queueOf('').length));
  return [...new Set([...configured, ...served, ...asked])].toSorted((one, other) =>
    one.localeCompare(other),
  );
}

/** What is known of each pool, by its name. */
export function poolViews(
  names: readonly string[],
  seen: { living: Heartbeat[]; backlogs: Backlog[]; breakers: ReadonlyMap<string, Breaker> },
): PoolView[] {
  return names.map((pool) => {
    const queue = seen.backlogs.find((one) => one.consumer === queueOf(pool));
    const serving = seen.living
      .map((one) => ({ one, models: (one.models ?? []).filter((model) => model.pool === pool) }))
      .filter(({ models }) => models.length > 0);
    // Models of one pool share the slots of their process.
    const most = (models: ServedModel[], of: 'slots' | 'freeSlots') =>
      Math.max(...models.map((model) => model[of]));
    const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);
    const workers = serving.flatMap(({ one, models }) => models.map((model) => workerOf(one, model)));
    return {
      pool,
      breaker: seen.breakers.get(pool) ?? noBreaker,
      waiting: queue?.waiting ?? 0,
      inHand: queue?.inHand ?? 0,
      slots: sum(serving.map(({ models }) => most(models, 'slots'))),
      freeSlots: sum(serving.map(({ models }) => most(models, 'freeSlots'))),
      tokensPerSecond: Math.round(sum(workers.map((worker) => worker.tokensPerSecond ?? 0)) * 10) / 10,
      workers: workers.toSorted(
        (left, right) => left.model.localeCompare(right.model) || left.process.localeCompare(right.process),
      ),
    };
  });
}

function workerOf({ process, host, pid, ...one }: Heartbeat, model: ServedModel): PoolWorker {
  const { quantisation, gpuMemoryBytes, gpuUtilisation } = model;
  const { outputTokensPerSecond: now, tokensPerSecond: ofReply } = model;
  return {
    process,
    host,
    pid,
    model: model.name,
    backend: model.backend,
    ...(quantisation === undefined ? {} : { quantisation }),
    contextTokens: model.contextTokens,
    slots: model.slots,
    freeSlots: model.freeSlots,
    queued: model.queued ?? 0,
    ...(now === undefined ? {} : { tokensPerSecond: now }),
    ...(ofReply === undefined ? {} : { replyTokensPerSecond: ofReply }),
    memoryBytes: model.memoryBytes ?? one.memoryBytes,
    ...(gpuMemoryBytes === undefined ? {} : { gpuMemoryBytes }),
    ...(gpuUtilisation === undefined ? {} : { gpuUtilisation }),
    threads: model.threads ?? one.threads,
  };
}

/** A heading a pool, its workers below it. */
export function poolText(pools: PoolView[], nowMs: number): Span[][] {
  return pools.flatMap((view) => [
    heading(view),
    ...breakerText(view.breaker, nowMs),
    ...(view.workers.length === 0 ? [] : indented(workerTable(view.workers))),
    [],
  ]);
}

function heading({ pool, waiting, slots, freeSlots, tokensPerSecond, workers }: PoolView): Span[] {
  const parts = [
    waiting > 0 ? span(`${countText(waiting, 'call')} waiting`, 'warn') : span('nothing waits'),
    ...(workers.length === 0
      ? [span('no live worker serves it', 'warn')]
      : [span(`${freeSlots} of ${countText(slots, 'slot')} free`, freeSlots === 0 ? 'warn' : 'plain')]),
    ...(tokensPerSecond > 0 ? [span(`${tokensPerSecond} tokens/s`)] : []),
  ];
  return [
    span(`pool ${pool}`, 'accent'),
    ...parts.flatMap((part, place) => [span(place === 0 ? ': ' : ', '), part]),
  ];
}

/** Nothing of a breaker that is closed. */
function breakerText(breaker: Breaker, nowMs: number): Span[][] {
  if (breaker.phase === 'closed') return [];
  const { phase, why, sinceMs, untilMs, trips, probe } = breaker;
  const next =
    phase === 'half-open'
      ? `${probe ?? 'a worker'} asks whether it is well`
      : nowMs < untilMs
        ? `probed in ${durationText(untilMs - nowMs)}`
        : 'about to be probed';
  return [
    [
      span(`  breaker ${phase} for ${durationText(nowMs - sinceMs)}`, phase === 'open' ? 'bad' : 'warn'),
      span(` (${countText(trips, 'time')} in a row), ${next}: `),
      span(why, 'plain', 200),
    ],
  ];
}

function workerTable(workers: PoolWorker[]): Span[][] {
  const hasCard = workers.some((one) => one.gpuMemoryBytes !== undefined);
  const cardHeading = hasCard ? ['GPU memory', 'GPU busy'] : [];
  return tableOf(
    [
      'worker',
      'model',
      'bits',
      'context',
      'free',
      'tokens/s',
      'a reply',
      'memory',
      ...cardHeading,
      'threads',
    ],
    workers.map((one) => [
      span(one.process),
      span(one.model, 'plain', 40),
      span(one.quantisation ?? one.backend),
      span(String(one.contextTokens)),
      span(`${one.freeSlots}/${one.slots}`, one.freeSlots === 0 ? 'warn' : 'plain'),
      span(numberText(one.tokensPerSecond)),
      span(numberText(one.replyTokensPerSecond)),
      span(memoryText(one.memoryBytes)),
      ...(hasCard
        ? [
            span(one.gpuMemoryBytes === undefined ? '-' : memoryText(one.gpuMemoryBytes)),
            span(one.gpuUtilisation === undefined ? '-' : `${one.gpuUtilisation} %`),
          ]
        : []),
      span(String(one.threads)),
    ]),
  );
}

const numberText = (value: number | undefined): string => (value === undefined ? '-' : value.toFixed(1));
const memoryText = (bytes: number): string => `${Math.round(bytes / 1_048_576)} MiB`;
const indented = (lines: Span[][]): Span[][] => lines.map((line) => [span('  '), ...line]);
