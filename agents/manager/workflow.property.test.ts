import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Decision } from '../../schemas/service.ts';
import { anyLife } from './any-life.ts';
import { live, type Workflow } from './life.ts';
import { evolve, noTask, type Task } from './task.ts';
import { decide, outbox } from './workflow.ts';

const shipped: Workflow = { noTask, evolve, decide, outbox };

test('workflow: no sequence of inputs breaks a bound, ends a task twice, or leaves it without a next thing', () => {
  const reached = new Set<string>();
  fc.assert(
    fc.property(anyLife, (acts) => {
      for (const one of live(shipped, acts)) reached.add(one);
    }),
    { numRuns: 8000 },
  );
  // What was never lived through was never checked.
  const troubles = 'bound budget deadline dead_letter failure indeterminate model question review'.split(' ');
  const events =
    'accepted cancelled completed handed_over planned rejected resumed revision_requested waiting';
  const all = [
    ...events.split(' '),
    ...['asked', ...troubles].map((kind) => `paused ${kind}`),
    ...troubles.map((kind) => `failed ${kind}`),
  ];
  expect([...reached].sort()).toEqual(all.map((one) => `task.${one}`).sort());
});

const withTask = (change: (task: Task) => Partial<Task>): Workflow => ({
  ...shipped,
  decide: (task, input) => decide({ ...task, ...change(task) }, input),
});
const withDecision = (
  change: (decision: Decision & { do: 'append' }) => Record<string, unknown>,
): Workflow => ({
  ...shipped,
  decide: (task, input) => {
    const decision = decide(task, input);
    return decision.do === 'append'
      ? { ...decision, data: { ...decision.data, ...change(decision) } }
      : decision;
  },
});

test.each<{ fault: string; workflow: Workflow; breaks: string }>([
  {
    fault: 'cycles left are ignored',
    workflow: withTask((task) =>
      task.work ? { work: { ...task.work, cyclesLeft: task.work.cyclesLeft + 1 } } : {},
    ),
    breaks: 'no revision beyond the bound',
  },
  {
    fault: 'hops are ignored',
    workflow: withTask((task) => (task.limits ? { limits: { ...task.limits, hops: 50 } } : {})),
    breaks: 'no hop beyond the bound',
  },
  {
    fault: 'the budget is ignored',
    workflow: withTask((task) =>
      task.limits ? { limits: { ...task.limits, budgetMicroDollars: 1e12 } } : {},
    ),
    breaks: 'no run is named',
  },
  {
    fault: 'the deadline is ignored',
    workflow: withTask(() => ({ deadlineAtMs: 1e15 })),
    breaks: 'no run is named after the deadline',
  },
  {
    fault: 'a task that ended goes on',
    workflow: withTask((task) => (task.phase === 'completed' ? { phase: 'running' } : {})),
    breaks: 'nothing follows the end of a task',
  },
  {
    fault: 'handled inputs are forgotten',
    workflow: withTask(() => ({ handled: new Set<string>() })),
    breaks: 'decide',
  },
  {
    fault: 'a pause does not say how it goes on',
    workflow: withDecision((decision) => (decision.type === 'task.paused' ? { mend: '' } : {})),
    breaks: 'a paused task says why',
  },
  {
    fault: 'an unattended task waits for a person',
    workflow: withTask(() => ({ isUnattended: false })),
    breaks: 'an unattended task waits for nobody',
  },
  {
    fault: 'an attended task fails',
    workflow: withTask(() => ({ isUnattended: true })),
    breaks: 'only an unattended task fails',
  },
  {
    fault: 'an event lacks what its row asks for',
    workflow: withDecision((decision) => (decision.type === 'task.handed_over' ? { commit: undefined } : {})),
    breaks: 'the event fits its row',
  },
  { fault: 'run ids are used again', workflow: withTask(() => ({ runs: 1 })), breaks: 'a run id is new' },
  {
    fault: 'a resume forgets the stop of the run before',
    workflow: {
      ...shipped,
      outbox: (task) => outbox(task.phase === 'running' ? { ...task, stops: [] } : task),
    },
    breaks: 'an abandoned run is stopped',
  },
  {
    fault: 'a task that was started owes no run',
    workflow: { ...shipped, outbox: (task) => outbox(task).filter((owed) => owed.type !== 'work.route') },
    breaks: 'a running task owes its run',
  },
  {
    fault: 'any run moves the task',
    workflow: {
      ...shipped,
      decide: (task, input) =>
        input.type === 'run.concluded' && task.work
          ? decide(
              {
                ...task,
                work: {
                  ...task.work,
                  runId: (input.event!.data as { runId: string }).runId,
                  role: input.reference!.journal.split('.').at(-2) as 'coder',
                },
              },
              input,
            )
          : decide(task, input),
    },
    breaks: 'only the current run moves the task',
  },
  {
    fault: 'state is kept outside the journal',
    workflow: { ...shipped, evolve: (task, event) => ({ ...evolve(task, event), runs: (counted += 1) }) },
    breaks: 'the same',
  },
])('workflow: the properties find it when $fault', ({ workflow, breaks }) => {
  const found = fc.check(
    fc.property(anyLife, (acts) => void live(workflow, acts)),
    { numRuns: 4000, endOnFailure: true },
  );
  expect(found.failed).toBe(true);
  expect(String(found.errorInstance)).toContain(breaks);
});
let counted = 0;
