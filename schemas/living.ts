import Type, { type Static } from 'typebox';
import { atMs, count } from './query-fields.ts';

const modelLoad = Type.Object(
  {
    name: Type.String(),
    pool: Type.String(),
    backend: Type.String(),
    slots: count('Replies it writes at a time'),
    freeSlots: count('Those that are free'),
    queued: Type.Optional(count('Calls taken that wait inside the process')),
    tokensPerSecond: Type.Optional(
      Type.Number({ description: 'Of one reply, over those of the last minute' }),
    ),
    outputTokensPerSecond: Type.Optional(
      Type.Number({ description: 'Of all its replies together, in the last seconds, where it can tell' }),
    ),
    contextTokens: Type.Optional(Type.Integer()),
    quantisation: Type.Optional(Type.String()),
    tags: Type.Array(Type.String()),
    memoryBytes: Type.Optional(Type.Number()),
    gpuMemoryBytes: Type.Optional(Type.Number()),
    gpuUtilisation: Type.Optional(Type.Number({ description: 'Percent' })),
    threads: Type.Optional(Type.Integer()),
  },
  { description: 'A model that a process serves' },
);

export const LivingProcess = Type.Object(
  {
    role: Type.String(),
    process: Type.String({ description: 'One start of one process' }),
    host: Type.String(),
    pid: Type.Integer(),
    version: Type.String(),
    pools: Type.Array(Type.String()),
    tags: Type.Array(Type.String()),
    slots: count('Tasks or calls that it works at at once'),
    busySlots: count('Those that are taken'),
    memoryBytes: Type.Number(),
    cpuPercent: Type.Optional(
      Type.Number({ description: 'Of one processor; over 100 where several are busy' }),
    ),
    threads: Type.Integer(),
    models: Type.Optional(Type.Array(modelLoad)),
    startedAtMs: atMs('When it started'),
    atMs: atMs('When it said so'),
  },
  { description: 'What a process says of itself every two seconds' },
);
export type LivingProcess = Static<typeof LivingProcess>;

export const PoolState = Type.Object(
  {
    pool: Type.String(),
    workers: Type.Array(Type.String(), { description: 'Living processes that serve it' }),
    slots: count('Replies that its workers write at a time'),
    freeSlots: count('Those that are free'),
    waiting: count('Calls that wait for a worker'),
    inHand: count('Calls that a worker has taken and not finished'),
    models: Type.Array(Type.String()),
    breaker: Type.Object(
      {
        phase: Type.Enum(['closed', 'open', 'half-open']),
        why: Type.String(),
        sinceMs: atMs('Since when; 0 where it was never opened'),
        untilMs: atMs('Open: when it may be probed'),
        trips: count('Openings in a row'),
      },
      { description: 'Whether calls are routed to it' },
    ),
  },
  { description: 'Workers that share one queue of model calls' },
);
export type PoolState = Static<typeof PoolState>;
