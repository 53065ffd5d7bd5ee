import type { TaskSummary } from '../../../schemas/query.ts';
import type { Yard } from '../model/yard.ts';
import { Chart } from './chart.tsx';
import { DeadLetters } from './dead-letters.tsx';
import { Empty } from './empty.tsx';
import { MeshLog } from './mesh-log.tsx';
import { dollars, shortCount } from './numbers.ts';
import { Pools } from './pools.tsx';
import { Processes } from './processes.tsx';

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
              <span className="truncate" title={one.consumer}>
                {one.consumer}
              </span>
              <span className={one.waiting > 0 ? 'font-semibold' : 'text-soft'}>
                <Chart
                  name={`waiting for ${one.consumer}`}
                  points={points.map((point) => point.waiting[one.consumer] ?? 0)}
                  text={`${one.waiting} waiting, ${one.inHand} in hand`}
                  most={4}
                  className="h-5 w-8 sm:w-16"
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
