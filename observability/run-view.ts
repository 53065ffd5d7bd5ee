import type { DataOf, EventOf } from '../schemas/catalogue.ts';
import type { Opens, Outcome } from '../schemas/run.ts';
import type { Choice } from '../schemas/work.ts';
import type { RecordedEvent, TaskView } from './task-view.ts';
import { stepText } from './wording.ts';

/** One run of a task as a person sees it. */
export interface RunView {
  runId: string;
  role: string;
  itemIndex: number;
  choices: Choice[];
  /** Steps opened so far. */
  steps: number;
  /** What is being done; since when. */
  open?: Opens;
  openAtMs: number;
  /** What the last event was the result of. */
  closed?: Opens;
  /** From opening to closing that step. */
  closedAfterMs: number;
  ending?: DataOf<'run.concluded'>['ending'];
  reason?: string;
  startedAtMs: number;
  endedAtMs?: number;
}

/** The step that a run begins with; its tests are the ones before any change. */
const openingTool = 'prepare';

/** The view after one more event of a run. */
export function advanceRun(view: TaskView, type: EventOf<'run'>, recorded: RecordedEvent): TaskView {
  const { event, atMs } = recorded;
  const runId = runIdOf(recorded);
  const role = event.sender ?? '';
  const before = view.runs[runId] ?? unknownRun(runId, role, atMs);
  const put = (run: RunView, more: Partial<TaskView> = {}): TaskView => ({
    ...view,
    ...more,
    runs: { ...view.runs, [runId]: run },
  });
  const opened = (opens: Opens): RunView => ({
    ...before,
    closed: before.open,
    closedAfterMs: atMs - before.openAtMs,
    open: opens,
    openAtMs: atMs,
    steps: before.steps + 1,
  });
  switch (type) {
    case 'run.started': {
      const { work, choices, opens } = event.data as DataOf<'run.started'>;
      const isScripted = view.isScripted || choices.some((choice) => choice.backend === 'scripted');
      const goesOn = view.state === 'waiting' ? { state: 'running' as const, waiting: undefined } : {};
      return put(
        { ...opened(opens), role: work.role, itemIndex: work.itemIndex, choices },
        { ...goesOn, isScripted },
      );
    }
    case 'run.replied':
      return put(opened((event.data as DataOf<'run.replied'>).opens));
    case 'run.rerouted':
      return put(opened((event.data as DataOf<'run.rerouted'>).opens));
    case 'run.stepped': {
      const { outcome, opens } = event.data as DataOf<'run.stepped'>;
      return put(opened(opens), learned(view, before, outcome, atMs));
    }
    case 'run.taken_over': {
      const { from, claim } = event.data as DataOf<'run.taken_over'>;
      const one = {
        atMs,
        what: 'run' as const,
        role,
        from,
        to: claim.process,
        afterMs: atMs - before.openAtMs,
      };
      return put({ ...before, openAtMs: atMs }, { takeOvers: [...view.takeOvers, one] });
    }
    case 'run.settled':
      return put(before);
    case 'run.concluded': {
      const { ending, reason, outcome, baseline, tests } = event.data as DataOf<'run.concluded'>;
      const closed = {
        ...before,
        open: undefined,
        closed: before.open,
        closedAfterMs: atMs - before.openAtMs,
      };
      const known = {
        ...(baseline ? { testsBefore: view.testsBefore ?? baseline } : {}),
        ...(tests ? { testsAfter: tests } : {}),
      };
      return put(
        { ...closed, ending, reason, endedAtMs: atMs },
        { ...learned(view, before, outcome, atMs), ...known },
      );
    }
  }
}

/** A run's id is the last part of its journal's subject. */
export function runIdOf(recorded: RecordedEvent): string {
  return recorded.journal.slice(recorded.journal.lastIndexOf('.') + 1);
}

/** What a step's outcome tells of the task as a whole. */
function learned(
  view: TaskView,
  run: RunView,
  outcome: Outcome | undefined,
  atMs: number,
): Partial<TaskView> {
  if (!outcome) return {};
  const isBaseline = run.open?.kind === 'tool' && run.open.tool === openingTool;
  const { tests } = outcome;
  const isWhole = isBaseline && outcome.diff !== undefined;
  const denial = () => ({ atMs, role: run.role, action: stepText(run.open), why: outcome.output });
  return {
    ...(tests ? (isBaseline ? { testsBefore: view.testsBefore ?? tests } : { testsAfter: tests }) : {}),
    ...(isWhole ? { diff: outcome.diff } : {}),
    ...(outcome.status === 'denied' ? { denials: [...view.denials, denial()] } : {}),
  };
}

function unknownRun(runId: string, role: string, atMs: number): RunView {
  return {
    runId,
    role,
    itemIndex: 0,
    choices: [],
    steps: 0,
    openAtMs: atMs,
    closedAfterMs: 0,
    startedAtMs: atMs,
  };
}
