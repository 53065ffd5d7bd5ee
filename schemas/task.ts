import Type from 'typebox';
import { Limits } from './bounds.ts';
import { decided, row } from './row.ts';
import { Finding, Item, Repository, Spend, TestReport, Work } from './work.ts';

/** The manager's journal: what became of a task. */
const event = {
  version: 1,
  kind: 'event',
  journal: 'task',
  publishedBy: ['manager'],
  consumedBy: ['operator'],
} as const;

export const PauseKind = Type.Enum(
  [
    'bound',
    'budget',
    'deadline',
    'question',
    'approval',
    'review',
    'model',
    'indeterminate',
    'dead_letter',
    'failure',
    'asked',
  ],
  { description: 'Why a person is needed' },
);

export const taskRows = [
  row({
    ...event,
    type: 'task.accepted',
    summary: 'A request became a task; its first work is named.',
    data: decided({
      goal: Type.String(),
      goalIsTests: Type.Boolean({ description: 'True when there is no goal but that the tests pass' }),
      repository: Repository,
      test: Type.Optional(Type.String()),
      setup: Type.Optional(Type.String()),
      approvePlan: Type.Boolean({
        description: 'True when a person wants to see the plan before work starts',
      }),
      unattended: Type.Optional(
        Type.Boolean({ description: 'True when it fails where another task would be paused' }),
      ),
      model: Type.Optional(Type.String()),
      limits: Limits,
      notes: Type.Array(Type.String(), {
        description: 'What the requester should know, such as uncommitted changes left out',
      }),
      items: Type.Array(Item, { description: 'The plan, or empty when a planner is to make one' }),
      next: Work,
    }),
  }),
  row({
    ...event,
    type: 'task.rejected',
    summary: 'A request cannot become a task; every reason is given.',
    data: decided({ reasons: Type.Array(Type.String(), { minItems: 1 }) }),
  }),
  row({
    ...event,
    type: 'task.planned',
    summary: 'The planner divided the goal into work items.',
    data: decided({
      items: Type.Array(Item, { minItems: 1 }),
      spend: Spend,
      next: Type.Optional(Work),
    }),
  }),
  row({
    ...event,
    type: 'task.handed_over',
    summary: 'A run concluded well and the next one is named: a review, or the next work item.',
    data: decided({
      from: Type.String({ format: 'uuid', description: 'The run that concluded' }),
      commit: Type.String(),
      tests: Type.Optional(TestReport),
      spend: Spend,
      next: Work,
    }),
  }),
  row({
    ...event,
    type: 'task.revision_requested',
    summary: 'Blocking findings, or red tests, start another review cycle.',
    data: decided({
      from: Type.String({ format: 'uuid' }),
      why: Type.Enum(['review', 'red tests']),
      findings: Type.Array(Finding, { minItems: 1 }),
      cyclesLeft: Type.Integer({ minimum: 0 }),
      commit: Type.String(),
      spend: Spend,
      next: Work,
    }),
  }),
  row({
    ...event,
    type: 'task.waiting',
    summary: 'Nothing can go on: no live process of the role that is needed.',
    data: decided({ runId: Type.String({ format: 'uuid' }), role: Type.String(), mend: Type.String() }),
  }),
  row({
    ...event,
    type: 'task.paused',
    summary: 'A person is needed; the run is stopped, the branch is kept.',
    data: decided({
      kind: PauseKind,
      reason: Type.String(),
      mend: Type.String({ description: 'The exact command that resumes it' }),
      runId: Type.Optional(Type.String({ description: 'The run that is stopped' })),
      findings: Type.Array(Finding),
      commit: Type.Optional(Type.String({ description: 'The commit that the stopped work had reached' })),
      next: Type.Optional(Work),
      spend: Spend,
    }),
  }),
  row({
    ...event,
    type: 'task.resumed',
    summary: 'A person let a paused task go on; a new run starts from the last commit.',
    data: decided({
      answer: Type.Optional(Type.String()),
      limits: Limits,
      next: Work,
    }),
  }),
  row({
    ...event,
    type: 'task.completed',
    summary: 'Every work item is done, its tests pass and its review approved.',
    data: decided({
      commit: Type.String(),
      branch: Type.String(),
      tests: Type.Optional(TestReport),
      findings: Type.Array(Finding, { description: 'Advice that did not block' }),
      spend: Spend,
    }),
  }),
  row({
    ...event,
    type: 'task.failed',
    summary: 'An unattended task ended without success; what it reached is kept.',
    data: decided({
      kind: Type.Optional(PauseKind),
      reason: Type.String(),
      mend: Type.Optional(
        Type.String({ description: 'The command by which a person lets it be tried again' }),
      ),
      runId: Type.Optional(Type.String({ description: 'The run that is stopped' })),
      findings: Type.Optional(Type.Array(Finding)),
      commit: Type.Optional(
        Type.String({
          description: 'The last commit that is known to the manager; absent as long as it is the base',
        }),
      ),
      branch: Type.Optional(Type.String({ description: 'The branch that keeps it' })),
      tests: Type.Optional(TestReport),
      spend: Spend,
    }),
  }),
  row({
    ...event,
    type: 'task.cancelled',
    summary: 'A person ended the task.',
    data: decided({ reason: Type.String(), runId: Type.Optional(Type.String()) }),
  }),
] as const;

const timer = {
  version: 1,
  kind: 'timer',
  journal: 'task',
  publishedBy: ['manager'],
  consumedBy: ['manager'],
} as const;

export const taskTimerRows = [
  row({
    ...timer,
    type: 'task.watch',
    summary: 'Looks whether the current run makes progress and whether its role is alive.',
    data: Type.Object({ runId: Type.String(), role: Type.String(), dueAtMs: Type.Integer() }),
  }),
  row({
    ...timer,
    type: 'task.deadline',
    summary: 'The task has had its time.',
    data: Type.Object({ acceptedAtMs: Type.Integer(), dueAtMs: Type.Integer() }),
  }),
] as const;
