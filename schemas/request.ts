import Type, { type Static } from 'typebox';
import { row } from './row.ts';

/** What a person or a program outside asks for, at `<namespace>.submit`. */
const request = {
  version: 1,
  kind: 'request',
  journal: 'task',
  publishedBy: ['operator'],
  consumedBy: ['manager'],
} as const;
const strict = { additionalProperties: false } as const;

/** Characters of a goal, at most. */
export const longestGoal = 20_000;

export const SubmitRequest = Type.Object(
  {
    goal: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: longestGoal,
        description: 'What is wanted; left out: that the tests pass',
      }),
    ),
    repository: Type.String({ minLength: 1, description: 'Path of a git repository below an allowed root' }),
    test: Type.Optional(
      Type.String({ minLength: 1, description: 'Test command, one that the operator allows' }),
    ),
    setup: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Makes a fresh worktree ready; one that the operator allows',
      }),
    ),
    plan: Type.Optional(
      Type.Enum(['single', 'planner'], { description: 'One work item, or a planner run first' }),
    ),
    approvePlan: Type.Optional(Type.Boolean({ description: 'Pause after planning until a person approves' })),
    unattended: Type.Optional(
      Type.Boolean({
        description: 'Nobody is there to be asked: where another task would be paused, this one fails',
      }),
    ),
    model: Type.Optional(Type.String({ description: 'Name of a configured model, for every role' })),
    limits: Type.Optional(
      Type.Object(
        {
          hops: Type.Optional(Type.Integer({ minimum: 0 })),
          cycles: Type.Optional(Type.Integer({ minimum: 0 })),
          steps: Type.Optional(Type.Integer({ minimum: 1 })),
          attempts: Type.Optional(Type.Integer({ minimum: 1 })),
          budgetMicroDollars: Type.Optional(Type.Integer({ minimum: 0 })),
          deadlineMs: Type.Optional(Type.Integer({ minimum: 1000 })),
        },
        { ...strict, description: 'Bounds tighter than the configured ones' },
      ),
    ),
  },
  { ...strict, description: 'A task to be done' },
);
export type SubmitRequest = Static<typeof SubmitRequest>;

const taskId = Type.String({ format: 'uuid', description: 'The task meant' });

export const requestRows = [
  row({ ...request, type: 'task.submit', summary: 'Asks for a task.', data: SubmitRequest }),
  row({
    ...request,
    type: 'task.cancel',
    summary: 'Ends a task.',
    data: Type.Object({ taskId, reason: Type.Optional(Type.String({ maxLength: 2000 })) }, strict),
  }),
  row({
    ...request,
    type: 'task.pause',
    summary: 'Stops a task until it is resumed.',
    data: Type.Object({ taskId, reason: Type.Optional(Type.String({ maxLength: 2000 })) }, strict),
  }),
  row({
    ...request,
    type: 'task.resume',
    summary: 'Lets a paused task go on, with more of what it ran out of.',
    data: Type.Object(
      {
        taskId,
        cycles: Type.Optional(Type.Integer({ minimum: 0, maximum: 20, description: 'Review cycles added' })),
        hops: Type.Optional(Type.Integer({ minimum: 0, maximum: 50, description: 'Hops added' })),
        steps: Type.Optional(Type.Integer({ minimum: 0, maximum: 1000, description: 'Steps a run added' })),
        budgetMicroDollars: Type.Optional(Type.Integer({ minimum: 0, description: 'Budget added' })),
        deadlineMs: Type.Optional(Type.Integer({ minimum: 0, description: 'Time added, counted from now' })),
        model: Type.Optional(Type.String({ description: 'Another configured model' })),
      },
      strict,
    ),
  }),
  row({
    ...request,
    type: 'task.answer',
    summary: 'Answers what a paused task asked.',
    data: Type.Object({ taskId, answer: Type.String({ minLength: 1, maxLength: 20_000 }) }, strict),
  }),
  row({
    ...request,
    type: 'task.approve',
    summary:
      'Approves what a paused task waits for: its plan, or going on after an effect that may have happened.',
    data: Type.Object({ taskId }, strict),
  }),
] as const;
