import type { Reply } from '../schemas/call.ts';
import type { DataOf, EventOf } from '../schemas/catalogue.ts';
import { shortType } from '../schemas/envelope.ts';
import type { Given } from '../schemas/row.ts';
import type { CallStep, Opens, Outcome, ToolStep } from '../schemas/run.ts';
import type { Stored } from '../schemas/service.ts';
import { addSpend, noSpend, type Choice, type Spend, type TestReport, type Work } from '../schemas/work.ts';
import { summaryIn } from './reply-text.ts';

export type ToolCallOfReply = Reply['toolCalls'][number];

/** What the model has read and written so far, oldest first. */
export type Turn =
  | { turn: 'reply'; reply: Reply; correction?: string }
  | { turn: 'step'; step: ToolStep; outcome: Outcome };

/** A call that was given up while open: it is called off, and a late answer counts its cost only. */
export interface Abandoned {
  callId: string;
  /** Which of the routed choices was asked. */
  choice: number;
  isSettled: boolean;
}

/** A run as its journal says it is. */
export interface Run {
  phase: 'none' | 'open' | 'concluded';
  taskId: string;
  work?: Work;
  choices: Choice[];
  /** The choice that answered last; the next question goes there first. */
  choice: number;
  /** The choices that brought no answer to the question at hand. */
  failures: { choice: number; why: string }[];
  opens?: Opens;
  /** Id of the input on whose behalf the open step was declared. */
  openInputId?: string;
  /** How each tool behaves when it is repeated, in the process that decided last. */
  effects: Record<string, ToolStep['effect']>;
  turns: Turn[];
  /** Tool calls of the last reply that are still to be performed. */
  queue: ToolCallOfReply[];
  /** True once the closing tool was called, so that only the tests are left. */
  isFinishing: boolean;
  summary: string;
  /** The workspace's last journaled commit. */
  commit: string;
  baseline?: TestReport;
  tests?: TestReport;
  /** Times that the work was called finished and the tests did not pass. */
  redRuns: number;
  /** Replies in a row that broke their schema. */
  corrections: number;
  /** Steps opened so far. */
  steps: number;
  spent: Spend;
  abandoned: Abandoned[];
  concludedAt?: { journal: string; sequence: number };
  ending?: DataOf<'run.concluded'>['ending'];
}

export const noRun: Run = {
  phase: 'none',
  taskId: '',
  choices: [],
  choice: 0,
  failures: [],
  effects: {},
  turns: [],
  queue: [],
  isFinishing: false,
  summary: '',
  commit: '',
  redRuns: 0,
  corrections: 0,
  steps: 0,
  spent: noSpend,
  abandoned: [],
};

/** Folds one event of a run's journal. */
export function evolve(run: Run, stored: Stored): Run {
  const type = shortType(stored.event.type) as EventOf<'run'>;
  const { data } = stored.event;
  const { given } = data as { given: Given };
  const isSettling = type === 'run.settled';
  const facts = given.facts as { effects?: Run['effects'] } | undefined;
  const known: Run = {
    ...run,
    taskId: stored.event.subject ?? run.taskId,
    ...(isSettling ? {} : { openInputId: given.inputId }),
    ...(facts?.effects ? { effects: facts.effects } : {}),
  };
  switch (type) {
    case 'run.started': {
      const { work, choices, opens } = data as DataOf<'run.started'>;
      return { ...open(known, opens), phase: 'open', work, choices, commit: work.fromCommit };
    }
    case 'run.replied':
      return answered(known, data as DataOf<'run.replied'>);
    case 'run.stepped': {
      const stepped = data as DataOf<'run.stepped'>;
      const done = stepDone(known, stepped.outcome);
      const isTool = stepped.opens.kind === 'tool';
      return {
        ...open(done, stepped.opens),
        queue: isTool ? done.queue.slice(1) : [],
        isFinishing: false,
      };
    }
    case 'run.taken_over': {
      const taken = data as DataOf<'run.taken_over'>;
      if (known.opens?.kind !== 'tool') return known;
      const { claim, epoch } = taken;
      return { ...known, opens: { ...known.opens, epoch, claim, atMs: given.atMs } };
    }
    case 'run.rerouted': {
      const { why, spend, opens } = data as DataOf<'run.rerouted'>;
      return {
        ...open(callFailed(known, why, spend.calls > 0), opens),
        spent: addSpend(known.spent, spend),
      };
    }
    case 'run.settled': {
      const settled = data as DataOf<'run.settled'>;
      return {
        ...known,
        spent: addSpend(known.spent, settled.spend),
        abandoned: known.abandoned.map((one) =>
          one.callId === settled.callId ? { ...one, isSettled: true } : one,
        ),
      };
    }
    case 'run.concluded': {
      const concluded = data as DataOf<'run.concluded'>;
      const waitedFor = known.opens?.kind === 'call' ? known.opens.callId : undefined;
      const left = waitedFor && concluded.callId !== waitedFor ? abandon(known, waitedFor) : known;
      return {
        ...left,
        phase: 'concluded',
        opens: undefined,
        queue: [],
        commit: concluded.commit,
        spent: concluded.spend,
        ending: concluded.ending,
        concludedAt: { journal: stored.journal, sequence: stored.sequence },
      };
    }
  }
}

export const finishTool = 'finish';
export const testsTool = 'run-tests';
export const openingTool = 'prepare';

/** True for the harness's own first step, which no model may ask for. */
export const isOpening = (step: ToolStep) => step.number === 0;

function answered(run: Run, replied: DataOf<'run.replied'>): Run {
  const reply = replied.reply as Reply;
  const { correction, opens, spend } = replied;
  const calls = reply.toolCalls.filter((call) => call.name !== finishTool);
  const isFinishing = opens.kind === 'tool' && calls.length === 0;
  return {
    ...open(replyHeard(run, reply, spend, correction), opens),
    queue: opens.kind === 'tool' ? calls.slice(1) : [],
    isFinishing,
    summary: isFinishing ? summaryOf(reply) : run.summary,
  };
}

/** What the answer to the open call changes, whatever it opens. */
export function replyHeard(run: Run, reply: Reply, spend: Spend, correction?: string): Run {
  return {
    ...run,
    choice: (run.opens as CallStep).choice,
    failures: [],
    turns: [...run.turns, { turn: 'reply', reply, ...(correction ? { correction } : {}) }],
    corrections: correction ? run.corrections + 1 : 0,
    spent: addSpend(run.spent, spend),
  };
}

/** What it changes that the open call came to nothing; a call that nobody answered is still open elsewhere. */
export function callFailed(run: Run, why: string, isAnswered: boolean): Run {
  const { choice, callId } = run.opens as CallStep;
  const failed = { ...run, failures: [...run.failures, { choice, why }] };
  return isAnswered ? failed : abandon(failed, callId);
}

/** What the outcome of the open tool step changes, whatever it opens. */
export function stepDone(run: Run, outcome: Outcome): Run {
  const step = run.opens as ToolStep;
  const { tests } = outcome;
  return {
    ...run,
    turns: [...run.turns, { turn: 'step', step, outcome }],
    commit: outcome.commit ?? run.commit,
    ...(tests ? (isOpening(step) ? { baseline: tests } : { tests }) : {}),
    redRuns: run.redRuns + (run.isFinishing && !tests?.testsPass ? 1 : 0),
  };
}

function summaryOf(reply: Reply): string {
  const summary = reply.toolCalls.find((call) => call.name === finishTool)?.arguments?.['summary'];
  return typeof summary === 'string' ? summary : summaryIn(reply.content);
}

function open(run: Run, opens: Opens): Run {
  return { ...run, opens, steps: run.steps + 1 };
}

function abandon(run: Run, callId: string): Run {
  const { choice } = run.opens as CallStep;
  return { ...run, abandoned: [...run.abandoned, { callId, choice, isSettled: false }] };
}
