import { durationText } from '../../wording.ts';
import type { LivingProcess, PoolState } from '../../../schemas/living.ts';
import type { TaskSummary } from '../../../schemas/query.ts';
import { lateMs, poolSpeed, type Mesh } from '../model/mesh-history.ts';
import { crashWhy } from '../model/mesh-log.ts';
import type { SignName } from '../model/signs.ts';
import type { Yard } from '../model/yard.ts';
import { Chart } from './chart.tsx';
import { DeadLetters } from './dead-letters.tsx';
import { Empty } from './empty.tsx';
import { MeshLog } from './mesh-log.tsx';
import { bytesText, dollars, shortCount } from './numbers.ts';
import { Chip, Glyph, ScriptedChip } from './sign.tsx';

/** Who is alive, what they can do, how busy they are, and what waits. */
export function MeshPage({ yard, isDemo }: { yard: Yard; isDemo: boolean }) {
  const { latest, points } = yard.agents;
  if (!latest)
    return (
      <Empty title="No word of the mesh yet">
        Processes say every two seconds how they are. If none does, start one: <code>./switchyard up</code>
      </Empty>
    );
  const { processes, pools, queues } = latest;
  const totals = latest.totals ?? totalsOf(yard.tasks.values());
  const waits = queues.filter((one) => !one.consumer.startsWith('timer-'));
  return (
    <div className="flex flex-col gap-4 px-3 py-4 sm:px-5">
      <h1 className="sr-only" tabIndex={-1}>
        Mesh
      </h1>
      <section aria-label="Totals" className="panel flex flex-wrap gap-x-8 gap-y-3 px-4 py-3">
        <Total name="processes">{processes.length}</Total>
        <Total name="tasks">{totals.tasks}</Total>
        <Total name="model calls">{shortCount(totals.calls)}</Total>
        <Total name="tokens in + out">
          {shortCount(totals.inputTokens)} + {shortCount(totals.outputTokens)}
        </Total>
        <Total name="cost">{dollars(totals.costMicroDollars)}</Total>
        {latest.totals ? (
          <Total name="tokens written a second">
            <Chart
              name="tokens written a second"
              points={points.map((one) => one.tokensPerSecond)}
              text={(points.at(-1)?.tokensPerSecond ?? 0).toFixed(1)}
              className="h-7 w-48"
            />
          </Total>
        ) : null}
      </section>
      <Pools pools={pools} mesh={yard.agents} processes={processes} />
      <Processes processes={processes} yard={yard} atMs={latest.atMs} />
      <section aria-label="Queues" className="panel px-4 py-3">
        <h2 className="m-0 mb-2 text-base font-semibold">Waiting in the inboxes</h2>
        <ul className="m-0 grid list-none grid-cols-[repeat(auto-fill,minmax(min(22rem,100%),1fr))] gap-x-8 gap-y-1 p-0">
          {waits.map((one) => (
            <li
              key={one.consumer}
              className="flex items-center justify-between gap-3 border-b border-rail/50 py-1"
            >
              <span className="whitespace-nowrap">{one.consumer}</span>
              <span className={one.waiting > 0 ? 'font-semibold' : 'text-soft'}>
                <Chart
                  name={`waiting for ${one.consumer}`}
                  points={points.map((point) => point.waiting[one.consumer] ?? 0)}
                  text={`${one.waiting} waiting, ${one.inHand} in hand`}
                  most={4}
                  className="h-5 w-16"
                />
              </span>
            </li>
          ))}
        </ul>
      </section>
      <MeshLog events={yard.meshEvents} isDemo={isDemo} />
      <DeadLetters letters={latest.dead ?? []} isDemo={isDemo} />
    </div>
  );
}

/** A recording has no totals of a read side: they are those of its tasks. */
function totalsOf(tasks: Iterable<TaskSummary>) {
  const totals = { tasks: 0, calls: 0, inputTokens: 0, outputTokens: 0, costMicroDollars: 0 };
  for (const one of tasks) {
    totals.tasks += 1;
    for (const name of ['calls', 'inputTokens', 'outputTokens', 'costMicroDollars'] as const)
      totals[name] += one[name];
  }
  return totals;
}

function Total({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <div className="label">{name}</div>
      <div className="text-lg leading-7">{children}</div>
    </div>
  );
}

const breakerSigns: Record<PoolState['breaker']['phase'], SignName> = {
  closed: 'done',
  open: 'denied',
  'half-open': 'waits',
};
const breakerWords: Record<PoolState['breaker']['phase'], string> = {
  closed: 'in service',
  open: 'breaker open',
  'half-open': 'being probed',
};

interface PoolsProps {
  pools: readonly PoolState[];
  mesh: Mesh;
  processes: readonly LivingProcess[];
}

function Pools({ pools, mesh, processes }: PoolsProps) {
  return (
    <section aria-label="Pools" className="grid gap-3 md:grid-cols-2 xl:grid-cols-3">
      {pools.map((pool) => {
        const models = processes.flatMap((one) =>
          (one.models ?? []).filter((model) => model.pool === pool.pool),
        );
        const speed = poolSpeed(processes, pool.pool);
        const isScripted = models.some((one) => one.backend === 'scripted') || pool.pool === 'scripted';
        const phase = pool.workers.length === 0 ? undefined : pool.breaker.phase;
        const speeds = mesh.points.map((one) => one.poolTokens[pool.pool] ?? 0);
        return (
          <article key={pool.pool} className="panel px-4 py-3">
            <div className="flex flex-wrap items-center gap-2">
              <h2 className="m-0 text-base font-semibold">Pool {pool.pool}</h2>
              {phase ? (
                <Chip name={breakerSigns[phase]}>{breakerWords[phase]}</Chip>
              ) : (
                <Chip name={pool.waiting > 0 ? 'waits' : 'queued'}>no worker</Chip>
              )}
              {isScripted ? <ScriptedChip /> : null}
            </div>
            {pool.breaker.phase === 'closed' ? null : <p className="m-0 mt-1">{pool.breaker.why}</p>}
            <Slots busy={pool.slots - pool.freeSlots} all={pool.slots} />
            <p className="m-0 mt-1">
              {pool.waiting} waiting, {pool.inHand} in hand, {pool.workers.length}{' '}
              {pool.workers.length === 1 ? 'worker' : 'workers'}
            </p>
            <div className="mt-2">
              <Chart
                name={`tokens a second of pool ${pool.pool}`}
                points={speeds}
                text={`${speed.tokensPerSecond.toFixed(1)} tokens/s ${speed.isOfOneReply ? 'a reply' : 'together'}`}
              />
            </div>
            <ul className="m-0 mt-2 list-none space-y-1 p-0">
              {processes.flatMap((one) =>
                (one.models ?? [])
                  .filter((model) => model.pool === pool.pool)
                  .map((model) => (
                    <li key={`${one.process} ${model.name}`} className="border-l-2 border-rail pl-3">
                      <span className="font-medium">{model.name}</span>{' '}
                      <span className="text-soft">
                        in {one.process}: {modelFacts(model).join(', ')}
                      </span>
                    </li>
                  )),
              )}
            </ul>
          </article>
        );
      })}
    </section>
  );
}

/** What a worker says of a model that it serves. */
function modelFacts(model: NonNullable<LivingProcess['models']>[number]): string[] {
  const { quantisation, contextTokens, slots, freeSlots, queued, threads, memoryBytes } = model;
  const { gpuMemoryBytes, gpuUtilisation } = model;
  return [
    ...(quantisation ? [quantisation] : []),
    ...(contextTokens ? [`context of ${shortCount(contextTokens)} tokens`] : []),
    `${freeSlots} of ${slots} slots free`,
    ...(queued ? [`${queued} queued in it`] : []),
    ...(threads ? [`${threads} threads`] : []),
    ...(memoryBytes ? [`memory ${bytesText(memoryBytes)}`] : []),
    ...(gpuMemoryBytes ? [`GPU memory ${bytesText(gpuMemoryBytes)}`] : []),
    ...(gpuUtilisation === undefined ? [] : [`GPU ${Math.round(gpuUtilisation)} % busy`]),
  ];
}

/** Slots as places on a siding, the taken ones filled; the words say the same. */
function Slots({ busy, all }: { busy: number; all: number }) {
  const shown = Math.min(all, 8);
  return (
    <span className="my-1 flex items-center gap-2">
      <span className="flex gap-0.5" aria-hidden="true">
        {Array.from({ length: shown }, (_, index) => (
          <span
            key={index}
            className={`h-3 w-2 rounded-[1px] border border-rail ${index < (busy * shown) / Math.max(1, all) ? 'bg-lamp' : ''}`}
          />
        ))}
      </span>
      <span className="whitespace-nowrap">
        {busy}/{all} busy
      </span>
    </span>
  );
}

interface ProcessesProps {
  processes: readonly LivingProcess[];
  yard: Yard;
  atMs: number;
}

const processColumns = [
  'Role',
  'Process',
  'Health',
  'Busy',
  'CPU',
  'Memory',
  'Threads',
  'Up',
  'Host',
  'Can do',
];

function Processes({ processes, yard, atMs }: ProcessesProps) {
  const mesh = yard.agents;
  const gone = new Map(mesh.gone.map((one) => [one.process.process, one.atMs]));
  const sorted = [...processes, ...mesh.gone.map((one) => one.process)].sort(
    (one, other) => one.role.localeCompare(other.role) || one.startedAtMs - other.startedAtMs,
  );
  return (
    <section aria-label="Processes" className="panel overflow-x-auto" tabIndex={0}>
      <table className="w-full border-collapse text-left">
        <caption className="px-4 py-3 text-left text-base font-semibold">Processes</caption>
        <thead>
          <tr>
            {processColumns.map((heading) => (
              <th
                key={heading}
                scope="col"
                className="label whitespace-nowrap border-b border-rail px-2 py-1.5"
              >
                {heading}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted.map((one) => (
            <tr
              key={one.process}
              className={`border-b border-rail/50 last:border-0 ${gone.has(one.process) ? 'text-soft' : ''}`}
            >
              <th scope="row" className="px-2 py-1.5 font-semibold">
                {one.role}
              </th>
              <td className="mono whitespace-nowrap px-2 text-soft">
                {one.process.split('.').at(-1)} · {one.pid}
              </td>
              <td className="px-2 align-middle">
                <Health
                  lateForMs={lateMs(mesh, one)}
                  goneForMs={gone.has(one.process) ? atMs - gone.get(one.process)! : undefined}
                  why={crashWhy(yard.meshEvents, one.process)}
                />
              </td>
              <td className="px-2 align-middle">
                {gone.has(one.process) ? (
                  '—'
                ) : one.slots > 0 ? (
                  <Slots busy={one.busySlots} all={one.slots} />
                ) : (
                  <span className="text-soft">takes no work</span>
                )}
              </td>
              <td className="px-2 align-middle">
                <Chart
                  name={`CPU of ${one.process}`}
                  points={mesh.points.map((point) => point.cpu[one.process] ?? 0)}
                  text={`${Math.round(one.cpuPercent ?? 0)} %`}
                  most={100}
                  className="h-5 w-12"
                />
              </td>
              <td className="px-2 align-middle">
                <Chart
                  name={`memory of ${one.process}`}
                  points={mesh.points.map((point) => point.memory[one.process] ?? 0)}
                  text={bytesText(one.memoryBytes)}
                  most={one.memoryBytes * 1.5}
                  className="h-5 w-12"
                />
              </td>
              <td className="px-2 align-middle">{one.threads}</td>
              <td className="whitespace-nowrap px-2 text-soft">{durationText(atMs - one.startedAtMs)}</td>
              <td className="whitespace-nowrap px-2 text-soft">{one.host}</td>
              <td className="mono min-w-40 px-2 text-soft">{one.tags.join(' ') || '—'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

interface HealthProps {
  lateForMs: number | undefined;
  goneForMs: number | undefined;
  /** Why it died, where that is known. */
  why: string | undefined;
}

/** Whether a process still says how it is. */
function Health({ lateForMs, goneForMs, why }: HealthProps) {
  if (goneForMs !== undefined)
    return (
      <span className="block min-w-40">
        <Chip name={why ? 'crash' : 'cancelled'}>gone</Chip>{' '}
        {goneForMs < 1000 ? 'just now' : `for ${durationText(goneForMs)}`}
        {why ? `: ${why}` : ''}
      </span>
    );
  if (lateForMs !== undefined)
    return (
      <span className="whitespace-nowrap">
        <Chip name="waits">late</Chip> silent for {durationText(lateForMs)}
      </span>
    );
  return (
    <span className="inline-flex items-center gap-1.5">
      <Glyph name="done" /> alive
    </span>
  );
}
