import type { LivingProcess } from '../../../schemas/living.ts';
import { durationText } from '../../wording.ts';
import { lateMs } from '../model/mesh-history.ts';
import { crashWhy } from '../model/mesh-log.ts';
import type { Yard } from '../model/yard.ts';
import { Chart } from './chart.tsx';
import { bytesText } from './numbers.ts';
import { Chip, Glyph } from './sign.tsx';
import { Slots } from './slots.tsx';

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

/** Who is alive, late or gone, and how busy. */
export function Processes({ processes, yard, atMs }: ProcessesProps) {
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
                className="label whitespace-nowrap border-b border-rail px-2 py-1.5 first:pl-4"
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
              <th scope="row" className="py-1.5 pl-4 pr-2 font-semibold">
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
