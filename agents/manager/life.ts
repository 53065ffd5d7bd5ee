/** For tests only: lives a task through, and checks the rules that no life may break. */
import type { DataOf } from '../../schemas/catalogue.ts';
import type { Decision, Input, Owed, Stored } from '../../schemas/service.ts';
import { dataProblems } from '../../schemas/validate.ts';
import type { Work } from '../../schemas/work.ts';
import type { Act } from './any-life.ts';
import { acceptedAtMs, facts, stored, taskId } from './given.ts';
import { inputFor, type Life } from './life-inputs.ts';
import type { StoppedRun, Task } from './task.ts';

/** The workflow as it is shipped, or one with a planted fault. */
export interface Workflow {
  noTask: Task;
  evolve(task: Task, stored: Stored): Task;
  decide(task: Task, input: Input): Decision;
  outbox(task: Task): Owed[];
}

/** Lives it through; throws at the first rule that is broken. Returns the short types of the events, pauses and failures with their kind. */
export function live(workflow: Workflow, acts: Act[]): string[] {
  const life: Life = {
    task: workflow.noTask,
    nowMs: acceptedAtMs,
    count: 0,
    events: [],
    sent: [],
    ends: new Map(),
    named: [],
    open: new Set(),
    handled: new Set(),
    terminals: 0,
    allowed: { hops: 0, cycles: 0 },
    made: { hops: 0, revisions: 0 },
    asked: { hops: 0, cycles: 0 },
    budgetMicroDollars: facts.limits.budgetMicroDollars,
  };
  const reached: string[] = [];
  for (const act of acts) {
    life.count += 1;
    life.nowMs += act.act === 'pass' ? act.ms : 1;
    const input = inputFor(life, act);
    if (input) reached.push(...deliver(workflow, life, input));
  }
  const again = life.events.reduce(workflow.evolve, workflow.noTask);
  rule('folding again gives the same state', asText(again) === asText(life.task));
  return reached;
}

function deliver(workflow: Workflow, life: Life, input: Input): string[] {
  const before = life.task;
  life.sent.push(input);
  const decision = workflow.decide(before, input);
  rule('deciding again decides the same', asText(decision) === asText(workflow.decide(before, input)));
  if (decision.do !== 'append') return [];

  rule('an input is decided on once', !life.handled.has(input.id));
  rule('nothing follows the end of a task', life.terminals === 0);
  if (input.type === 'run.concluded') {
    const { runId } = input.event!.data as { runId: string };
    rule('only the current run moves the task', before.phase === 'running' && runId === before.work!.runId);
    life.open.delete(runId);
  }
  const event = stored(decision.type, decision.data, input.id, input.atMs, input.facts);
  const problems = dataProblems(decision.type, event.event.data);
  rule(`the event fits its row: ${problems.join('; ')}`, problems.length === 0);
  life.handled.add(input.id);
  life.events.push(event);
  life.task = workflow.evolve(before, event);
  rule('what was handled decides nothing', workflow.decide(life.task, input).do === 'nothing');
  count(life, before, decision, input);
  checkOwed(life, workflow.outbox(life.task));
  const { kind } = decision.data as { kind?: string };
  return [kind ? `${decision.type} ${kind}` : decision.type];
}

/** Counts hops and cycles for itself, and compares with what the item was given. */
function count(life: Life, before: Task, decision: Decision & { do: 'append' }, input: Input): void {
  const { type } = decision;
  const data = decision.data as { next?: Work; why?: string; limits?: { hops: number; cycles: number } };
  if (['task.completed', 'task.failed', 'task.cancelled', 'task.rejected'].includes(type))
    life.terminals += 1;
  const { next } = data;
  if (type === 'task.accepted')
    life.allowed = life.asked = { hops: data.limits!.hops, cycles: data.limits!.cycles };
  if (type === 'task.planned') life.made = { hops: 0, revisions: 0 };
  if (!next || type === 'task.paused') return;
  const isSameItem = next.itemIndex === before.itemIndex;
  if (!isSameItem && type !== 'task.planned' && type !== 'task.accepted') {
    life.made = { hops: 0, revisions: 0 };
    if (before.itemIndex >= 0) life.allowed = life.asked;
  }
  if (type === 'task.resumed') {
    const added = input.event!.data as { hops?: number; cycles?: number; budgetMicroDollars?: number };
    life.budgetMicroDollars += added.budgetMicroDollars ?? 0;
    const hops = life.allowed.hops + (input.type === 'task.answer' ? 1 : (added.hops ?? 0));
    life.allowed = { hops, cycles: life.allowed.cycles + (added.cycles ?? 0) };
  }
  if (type === 'task.handed_over' && isSameItem) life.made.hops += 1;
  if (type === 'task.revision_requested') {
    life.made.revisions += 1;
    if (data.why === 'review') life.made.hops += 1;
  }
  const { allowed, made } = life;
  rule('no hop beyond the bound', next.hop <= allowed.hops && made.hops <= allowed.hops);
  rule('no revision beyond the bound', made.revisions + next.cyclesLeft <= allowed.cycles);
  const spent = next.spent.costMicroDollars;
  const spentUp = spent > 0 && spent >= life.budgetMicroDollars;
  const asksNobody = type === 'task.handed_over' || type === 'task.revision_requested';
  rule('no run is named with a budget that is used up', !(asksNobody && spentUp));
  rule('no run is named after the deadline', !(asksNobody && input.atMs >= before.deadlineAtMs));
  rule('a run id is new', !life.named.some((one) => one.runId === next.runId));
  life.named.push(next);
  life.open.add(next.runId);
}

/** Something comes next, or a person knows what to do; and no abandoned run goes on. */
function checkOwed(life: Life, owes: Owed[]): void {
  const { task } = life;
  if (task.phase === 'running') {
    const route = owes.find((owed) => owed.type === 'work.route');
    rule('a running task owes its run', (route?.data as { work: Work } | undefined)?.work === task.work);
    rule('a running task is watched', owes.filter((owed) => owed.to.inbox === 'timer').length === 2);
  } else if (task.phase === 'paused') {
    rule('an unattended task waits for nobody', !task.isUnattended);
    const { kind, reason, mend } = task.pause!;
    rule(
      'a paused task says why and how it goes on',
      kind !== undefined && reason !== '' && mend.includes(taskId),
    );
    rule(
      'a paused task starts nothing',
      owes.every((owed) => owed.type === 'run.stop'),
    );
  } else {
    rule('a task that is neither running nor paused has ended', life.terminals === 1);
    if (task.phase === 'failed') {
      const { kind, reason, mend } = life.events.at(-1)!.event.data as DataOf<'task.failed'>;
      rule('only an unattended task fails', task.isUnattended);
      rule(
        'a failed task says why and what a person can do',
        kind !== undefined && reason !== '' && mend!.startsWith('./switchyard submit --repo /srv/code'),
      );
    }
    rule(
      'a task that has ended starts nothing',
      owes.every((owed) => owed.type === 'run.stop'),
    );
  }
  const stopped = new Set(owes.filter((owed) => owed.type === 'run.stop').map((owed) => owed.data['runId']));
  for (const stop of task.stops) {
    if (!life.open.has(stop.runId)) rule('a run that has ended is not stopped', false);
  }
  const resumedWith = (life.events.at(-1)!.event.data as { given: { facts?: { stopped?: StoppedRun[] } } })
    .given.facts?.stopped;
  if (task.phase === 'running')
    for (const run of resumedWith ?? []) if (run.hasEnded) life.open.delete(run.runId);
  for (const runId of life.open) {
    const isCurrent = task.phase === 'running' && task.work!.runId === runId;
    rule('an abandoned run is stopped, and the current one is not', stopped.has(runId) !== isCurrent);
  }
}

function rule(name: string, holds: boolean): void {
  if (!holds) throw new Error(name);
}

function asText(value: unknown): string {
  return JSON.stringify(value, (_name, one: unknown) => (one instanceof Set ? [...one] : one));
}
