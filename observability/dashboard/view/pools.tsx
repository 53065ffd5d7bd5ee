import type { LivingProcess, PoolState } from '../../../schemas/living.ts';
import { countText } from '../../wording.ts';
import { poolSpeed, type Mesh } from '../model/mesh-history.ts';
import type { SignName } from '../model/signs.ts';
import { Chart } from './chart.tsx';
import { bytesText, shortCount } from './numbers.ts';
import { Chip, ScriptedChip } from './sign.tsx';
import { Slots } from './slots.tsx';

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

/** Workers that share a queue of model calls, and the models that they serve. */
export function Pools({ pools, mesh, processes }: PoolsProps) {
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
            {pool.workers.length === 0 ? (
              <p className="m-0 mt-1 text-soft">
                {pool.waiting > 0
                  ? `Nobody serves it: ${countText(pool.waiting, 'call')} waiting until a worker comes.`
                  : 'Nobody serves it. A call to it would wait until a worker comes.'}
              </p>
            ) : (
              <>
                <Slots busy={pool.slots - pool.freeSlots} all={pool.slots} />
                <p className="m-0 mt-1">
                  {pool.waiting} waiting, {pool.inHand} in hand, {countText(pool.workers.length, 'worker')}
                </p>
                <div className="mt-2">
                  <Chart
                    name={`tokens a second of pool ${pool.pool}`}
                    points={speeds}
                    text={`${speed.tokensPerSecond.toFixed(1)} tokens/s ${speed.isOfOneReply ? 'a reply' : 'together'}`}
                  />
                </div>
              </>
            )}
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
