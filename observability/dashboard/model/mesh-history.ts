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
  /** What charts are drawn from, oldest first. */
  points: readonly MeshPoint[];
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
  /** By pool. */
  poolTokens: Readonly<Record<string, number>>;
  /** By consumer. */
  waiting: Readonly<Record<string, number>>;
}

export const noMesh: Mesh = { points: [] };

/** Five minutes at a sample every two seconds. */
const mostPoints = 150;

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
  const poolTokens: Record<string, number> = {};
  for (const { models = [] } of sample.processes)
    for (const model of models)
      poolTokens[model.pool] = (poolTokens[model.pool] ?? 0) + (model.tokensPerSecond ?? 0);
  const point: MeshPoint = {
    atMs: sample.atMs,
    tokensPerSecond: seconds > 0 ? written / seconds : 0,
    outputTokens,
    cpu: Object.fromEntries(sample.processes.map((one) => [one.process, one.cpuPercent ?? 0])),
    memory: Object.fromEntries(sample.processes.map((one) => [one.process, one.memoryBytes])),
    poolTokens,
    waiting: Object.fromEntries(sample.queues.map((one) => [one.consumer, one.waiting])),
  };
  return { latest, points: [...mesh.points, point].slice(-mostPoints) };
}
