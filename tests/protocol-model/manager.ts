import { type Decision, type Question, append, nothing } from './decision.ts';
import { inputParts } from './inputs.ts';
import { foldRun } from './coder.ts';
import type { Event, Input, Journal } from './state.ts';

export interface Task {
  status: 'unknown' | 'running' | 'paused' | 'cancelled' | 'completed' | 'failed';
  run: number;
  /** The run to stop, where the last event stopped one. */
  stops?: number;
  handled: ReadonlySet<Input>;
}

export function foldTask(journal: Journal): Task {
  let status: Task['status'] = 'unknown';
  let run = 0;
  for (const event of journal) {
    status = statusAfter(event);
    if (status === 'running') run = event.run!;
  }
  const last = journal.at(-1);
  const stops = last?.type === 'cancelled' || (last?.type === 'paused' && !last.concluded) ? run : undefined;
  return { status, run, stops: stops || undefined, handled: new Set(journal.map((event) => event.input)) };
}

function statusAfter(event: Event): Task['status'] {
  switch (event.type) {
    case 'paused':
    case 'cancelled':
    case 'completed':
    case 'failed':
      return event.type;
    default:
      return 'running';
  }
}

export const hasEnded = (task: Task): boolean => ['completed', 'failed', 'cancelled'].includes(task.status);

export function decideTask({ configuration, inForce, journal, input, referred }: Question): Decision {
  const task = foldTask(journal);
  const { kind, about } = inputParts(input);
  const isLast = task.run >= configuration.mostRuns;
  if (inForce('manager folds inputs') && task.handled.has(input)) return nothing;
  if (hasEnded(task)) return nothing;
  switch (kind) {
    case 'submit':
      return task.status === 'unknown' ? append({ type: 'accepted', input, run: 1 }) : nothing;
    case 'cancel':
      if (task.status === 'unknown' && !inForce('cancel before submit')) return nothing;
      return append({ type: 'cancelled', input });
    case 'pause':
      return task.status === 'running' ? append({ type: 'paused', input }) : nothing;
    case 'resume':
      return task.status === 'paused' && !isLast
        ? append({ type: 'resumed', input, run: task.run + 1 })
        : nothing;
    case 'conclusion': {
      const run = Number(about);
      const isCurrent = run === task.run;
      if (task.status !== 'running' || (!isCurrent && inForce('only the current run concludes')))
        return nothing;
      const concluded = foldRun(referred).concluded!;
      const outdated = isCurrent ? undefined : `run ${run}`;
      if (concluded === 'green') return append({ type: 'completed', input, outdated });
      if (concluded !== 'red') return append({ type: 'paused', input, concluded, outdated });
      return append(
        isLast
          ? { type: 'failed', input, outdated }
          : { type: 'reworked', input, run: task.run + 1, outdated },
      );
    }
    default:
      throw new Error(`the manager takes no '${input}'`);
  }
}

export function taskOutbox(journal: Journal): Input[] {
  const { status, run, stops } = foldTask(journal);
  if (status === 'running') return [`route ${run}`];
  return stops === undefined ? [] : [`stop ${stops}`];
}
