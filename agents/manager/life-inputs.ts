/** For tests only: what happens to a task, as the inputs that the manager is given. */
import { deriveId } from '../../schemas/envelope.ts';
import type { Input, Stored } from '../../schemas/service.ts';
import { noSpend, type Work } from '../../schemas/work.ts';
import type { Act } from './any-life.ts';
import {
  acceptedAtMs,
  advice,
  base,
  blocking,
  envelope,
  facts,
  green,
  inputOf,
  red,
  request,
  spend,
  taskId,
} from './given.ts';
import type { StoppedRun, Task } from './task.ts';

/** A task and all that it has met, as the rules need to know it. */
export interface Life {
  task: Task;
  nowMs: number;
  count: number;
  events: Stored[];
  sent: Input[];
  /** How each run ended, once and for all. */
  ends: Map<string, Input>;
  named: Work[];
  /** Runs that nobody has seen the end of. */
  open: Set<string>;
  handled: Set<string>;
  terminals: number;
  /** Of the item at hand. */
  allowed: { hops: number; cycles: number };
  made: { hops: number; revisions: number };
  asked: { hops: number; cycles: number };
  budgetMicroDollars: number;
}

/** The input that this act is for a life, if any; a run that ended ends the same way for ever. */
export function inputFor(life: Life, act: Act): Input | undefined {
  const { task } = life;
  const ask = (type: string, data: object, looked?: object): Input => {
    const input = { ...inputOf(type, data, life.nowMs), ...(looked ? { facts: looked } : {}) };
    return { ...input, id: `input ${life.count}` };
  };
  const resumes = (type: string, data: object, deliveries: number): Input => {
    const input = ask(type, { taskId, ...data }, { stopped: stoppedOf(life) });
    return { ...input, claim: { ...input.claim, deliveries } };
  };
  switch (act.act) {
    case 'pass':
      return undefined;
    case 'again': {
      const one = life.sent.at(-1 - act.back);
      return one && { ...one, atMs: life.nowMs };
    }
    case 'submit': {
      const { plan, approvePlan, unattended, cycles, hops, deadlineMs } = act;
      const asked = {
        repository: '/srv/code',
        goal: 'do it',
        test: 'npm test',
        plan,
        approvePlan,
        unattended,
      };
      const data = { ...asked, limits: { cycles, hops, deadlineMs } };
      const acceptance = { ...facts, limits: { ...facts.limits, cycles: 20, hops: 50 } };
      const input = ask('task.submit', data, { acceptance });
      return { ...input, event: { ...envelope('task.submit', data), ...request } };
    }
    case 'cancel':
    case 'pause':
      return ask(`task.${act.act}`, { taskId });
    case 'resume': {
      const { cycles, hops, deadlineMs, budget } = act;
      return resumes('task.resume', { cycles, hops, deadlineMs, budgetMicroDollars: budget }, act.deliveries);
    }
    case 'answer':
      return resumes('task.answer', { answer: 'go on' }, act.deliveries);
    case 'approve':
      return resumes('task.approve', {}, act.deliveries);
    case 'dead letter':
      return ask('mesh.dead_lettered', { reasons: ['it broke'], retry: 'retry' });
    case 'deadline':
      return ask('task.deadline', { acceptedAtMs, dueAtMs: task.deadlineAtMs - act.staleMs });
    case 'watch': {
      const work = life.named.at(-1 - act.back);
      const living = Object.fromEntries(act.living.map((role) => [role, 1]));
      return (
        work &&
        ask(
          'task.watch',
          { runId: work.runId, role: work.role, dueAtMs: task.startedAtMs + 10_000 },
          { living },
        )
      );
    }
    case 'conclude': {
      const work = life.named.at(-1 - act.back);
      if (!work) return undefined;
      const known = life.ends.get(work.runId) ?? ends(work, act, life);
      life.ends.set(work.runId, known);
      return { ...known, atMs: life.nowMs };
    }
  }
}

function ends(work: Work, act: Extract<Act, { act: 'conclude' }>, life: Life): Input {
  const isWorker = work.role === 'coder' || work.role === 'tester';
  const result =
    work.role === 'planner'
      ? { role: 'planner', items: act.items.map((role) => ({ role, goal: `a ${role}'s work` })) }
      : work.role === 'reviewer'
        ? {
            role: 'reviewer',
            verdict: act.verdict,
            summary: 'so',
            findings: [...act.findings.map(blocking), advice('A')],
          }
        : { role: work.role, summary: 'done' };
  const commits = { new: String(life.count).padStart(40, '0'), unchanged: work.fromCommit, base };
  const tests = act.tests === 'none' ? {} : { tests: act.tests === 'green' ? green : red };
  const { runId, role } = work;
  const run = {
    runId,
    role,
    ending: act.ending,
    reason: 'it ended',
    result,
    ...(isWorker ? tests : {}),
    commit: isWorker ? commits[act.commit] : work.fromCommit,
    spend: act.cost > 0 ? spend(act.cost) : noSpend,
  };
  const journal = `yard.event.${taskId}.run.${role}.${runId}`;
  return {
    ...inputOf('run.concluded', run, life.nowMs),
    id: deriveId(journal, 'home'),
    reference: { journal, sequence: 1 },
  };
}

function stoppedOf(life: Life): StoppedRun[] {
  return life.task.stops.map(({ runId }) => {
    const end = life.ends.get(runId)?.event?.data as { commit: string; spend: typeof noSpend } | undefined;
    return { runId, hasEnded: end !== undefined, commit: end?.commit ?? '', spend: end?.spend ?? noSpend };
  });
}
