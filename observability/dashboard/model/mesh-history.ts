import type { LivingProcess, PoolState } from '../../../schemas/living.ts';
import type { QueryReply } from '../../../schemas/query.ts';

/** The mesh at one moment, as the read side tells it. */
export interface MeshSample {
  atMs: number;
  processes: readonly LivingProcess[];
  pools: readonly PoolState[];
  queues: QueryReply<'agents'>['queues'];
  totals?: Pick<
    QueryReply<'totals'>,
    'tasks' | 'byState' | 'calls' | 'inputTokens' | 'outputTokens' | 'costMicroDollars' | 'byModel'
  >;
  dead?: QueryReply<'dead'>['letters'];
}

/** The last minutes of the mesh: the newest sample whole, and figures of those before. */
export interface Mesh {
  latest?: MeshSample;
  /** Processes of the last minute that are heard of no more. */
  gone: readonly GoneProcess[];
  /** By process, the shortest time from what it said of itself to hearing it: its host's clock may be another one. */
  leastLagMs: Readonly<Record<string, number>>;
  /** What charts are drawn from, oldest first. */
  points: readonly MeshPoint[];
}

export interface GoneProcess {
  process: LivingProcess;
  /** When it was missed first. */
  atMs: number;
}

export interface MeshPoint {
  atMs: number;
  /** Written by models since the point before. */
  tokensPerSecond: number;
  /** Total so far, from which the next point's rate follows. */
  outputTokens: number;
  /** By process. */
  cpu: Readonly<Record<string, number>>;
  memory: Readonly<Record<string, number>>;
  /** By pool, tokens a second of all its replies together, or of one reply where no worker can tell those. */
  poolTokens: Readonly<Record<string, number>>;
  /** By consumer. */
  waiting: Readonly<Record<string, number>>;
}

export const noMesh: Mesh = { points: [], gone: [], leastLagMs: {} };

/** Five minutes at a sample every two seconds. */
const mostPoints = 150;
const goneForMs = 60_000;
/** A process says every two seconds how it is. */
const heartbeatMs = 2000;
const lateAfterMs = 4000;

/** How long a process has said nothing, where that is longer than it should be; undefined where it is as it should be. */
export function lateMs(mesh: Mesh, { process, atMs }: LivingProcess): number | undefined {
  const lag = (mesh.latest?.atMs ?? atMs) - atMs;
  const least = mesh.leastLagMs[process] ?? lag;
  // Heard within a heartbeat, its clock is right; else it is off by as much as it was never heard within.
  const silence = lag - (least < 0 ? least : Math.max(0, least - heartbeatMs));
  return silence > lateAfterMs ? silence : undefined;
}

/** How fast a pool writes: all its workers together where they can tell, else what one reply gets on the average. */
export function poolSpeed(
  processes: readonly LivingProcess[],
  pool: string,
): { tokensPerSecond: number; isOfOneReply: boolean } {
  const models = processes.flatMap((one) => (one.models ?? []).filter((model) => model.pool === pool));
  const sum = (numbers: number[]) => numbers.reduce((total, one) => total + one, 0);
  const known = (numbers: (number | undefined)[]) => numbers.filter((one) => one !== undefined);
  const together = known(models.map((one) => one.outputTokensPerSecond));
  if (together.length > 0) return { tokensPerSecond: sum(together), isOfOneReply: false };
  const replies = known(models.map((one) => one.tokensPerSecond));
  return { tokensPerSecond: sum(replies) / Math.max(1, replies.length), isOfOneReply: true };
}

export function addSample(mesh: Mesh, sample: MeshSample): Mesh {
  const before = mesh.points.at(-1);
  const latest: MeshSample = {
    ...sample,
    ...(sample.totals ? {} : mesh.latest?.totals ? { totals: mesh.latest.totals } : {}),
    ...(sample.dead ? {} : mesh.latest?.dead ? { dead: mesh.latest.dead } : {}),
  };
  const outputTokens = latest.totals?.outputTokens ?? before?.outputTokens ?? 0;
  const seconds = before ? Math.max(0.5, (sample.atMs - before.atMs) / 1000) : 0;
  const written = before ? Math.max(0, outputTokens - before.outputTokens) : 0;
  const point: MeshPoint = {
    atMs: sample.atMs,
    tokensPerSecond: seconds > 0 ? written / seconds : 0,
    outputTokens,
    cpu: Object.fromEntries(sample.processes.map((one) => [one.process, one.cpuPercent ?? 0])),
    memory: Object.fromEntries(sample.processes.map((one) => [one.process, one.memoryBytes])),
    poolTokens: Object.fromEntries(
      sample.pools.map(({ pool }) => [pool, poolSpeed(sample.processes, pool).tokensPerSecond]),
    ),
    waiting: Object.fromEntries(sample.queues.map((one) => [one.consumer, one.waiting])),
  };
  const leastLagMs = Object.fromEntries(
    sample.processes.map(({ process, atMs }) => [
      process,
      Math.min(sample.atMs - atMs, mesh.leastLagMs[process] ?? Infinity),
    ]),
  );
  return {
    latest,
    points: [...mesh.points, point].slice(-mostPoints),
    gone: goneOf(mesh, sample),
    leastLagMs,
  };
}

/** Who was there before and is no more; after a minute it is history. */
function goneOf(mesh: Mesh, sample: MeshSample): GoneProcess[] {
  const living = new Set(sample.processes.map((one) => one.process));
  const missed = (mesh.latest?.processes ?? []).map((process) => ({ process, atMs: sample.atMs }));
  return [...mesh.gone, ...missed].filter(
    ({ process, atMs }) => !living.has(process.process) && sample.atMs - atMs <= goneForMs,
  );
}
