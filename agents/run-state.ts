import type { Reply } from '../schemas/call.ts';
import type { DataOf, EventOf } from '../schemas/catalogue.ts';
import { shortType } from '../schemas/envelope.ts';
import type { CallStep, Opens, Outcome, ToolStep } from '../schemas/run.ts';
import type { Stored } from '../schemas/service.ts';
import { addSpend, noSpend, type Choice, type Spend, type TestReport, type Work } from '../schemas/work.ts';

export type ToolCallOfReply = Reply['toolCalls'][number];

/** What the model has read and written so far, oldest first. */
export type Turn =
  | { turn: 'reply'; reply: Reply; correction?: string }
  | { turn: 'step'; step: ToolStep; outcome: Outcome };

/** A run as its journal says it is. */
export interface Run {
  phase: 'none' | 'open' | 'concluded';
  taskId: string;
  work?: Work;
  choices: Choice[];
  opens?: Opens;
  /** Id of the input on whose behalf the open step was declared. */
  openInputId?: string;
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
  /** Test runs that were red since the baseline. */
  redRuns: number;
  /** Replies in a row that broke their schema. */
  corrections: number;
  /** Steps opened so far. */
  steps: number;
  spent: Spend;
  /** Calls that were given up while open: they are called off, and a late answer counts its cost only. */
  abandoned: { callId: string; pool: string; isSettled: boolean }[];
  concludedAt?: { journal: string; sequence: number };
  ending?: DataOf<'run.concluded'>['ending'];
}

export const noRun: Run = {
  phase: 'none',
  taskId: '',
  choices: [],
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
  const inputId = (data as { given: { inputId: string } }).given.inputId;
  const isSettling = type === 'run.settled';
  const known: Run = { ...run, taskId: stored.event.subject ?? run.taskId, ...(isSettling ? {} : { openInputId: inputId }) };
  switch (type) {
    case 'run.started': {
      const started = data as DataOf<'run.started'>;
      const { work, choices, opens } = started;
      return { ...open(known, opens), phase: 'open', work, choices, commit: work.fromCommit };
    }
    case 'run.replied': {
      const replied = data as DataOf<'run.replied'>;
      const reply = replied.reply as Reply;
      const { correction, opens } = replied;
      const turn: Turn = { turn: 'reply', reply, ...(correction ? { correction } : {}) };
      const calls = reply.toolCalls.filter((call) => call.name !== finishTool);
      const finish = reply.toolCalls.find((call) => call.name === finishTool);
      const isFinishing = opens.kind === 'tool' && opens.tool === testsTool;
      return {
        ...open(known, opens),
        turns: [...known.turns, turn],
        queue: opens.kind === 'tool' && !isFinishing ? calls.slice(1) : [],
        isFinishing,
        summary: isFinishing ? summaryOf(reply, finish) : known.summary,
        corrections: correction ? known.corrections + 1 : 0,
        spent: addSpend(known.spent, replied.spend),
      };
    }
    case 'run.stepped': {
      const stepped = data as DataOf<'run.stepped'>;
      const done = stepDone(known, stepped.outcome);
      const isTool = stepped.opens.kind === 'tool';
      return { ...open(done, stepped.opens), queue: isTool ? done.queue.slice(1) : [], isFinishing: false };
    }
    case 'run.taken_over': {
      const taken = data as DataOf<'run.taken_over'>;
      if (known.opens?.kind !== 'tool') return known;
      return { ...known, opens: { ...known.opens, epoch: taken.epoch, claim: taken.claim, atMs: taken.given.atMs } };
    }
    case 'run.rerouted': {
      const rerouted = data as DataOf<'run.rerouted'>;
      return {
        ...open(abandon(known, rerouted.callId, rerouted.spend.calls > 0), rerouted.opens),
        spent: addSpend(known.spent, rerouted.spend),
      };
    }
    case 'run.settled': {
      const settled = data as DataOf<'run.settled'>;
      return {
        ...known,
        spent: addSpend(known.spent, settled.spend),
        abandoned: known.abandoned.map((one) => (one.callId === settled.callId ? { ...one, isSettled: true } : one)),
      };
    }
    case 'run.concluded': {
      const concluded = data as DataOf<'run.concluded'>;
      const wasWaiting = known.opens?.kind === 'call' && concluded.callId !== known.opens.callId ? known.opens.callId : undefined;
      const left = wasWaiting ? abandon(known, wasWaiting, false) : known;
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

function summaryOf(reply: Reply, finish: ToolCallOfReply | undefined): string {
  const summary = finish?.arguments?.['summary'];
  return typeof summary === 'string' ? summary : reply.content;
}

function open(run: Run, opens: Opens): Run {
  return { ...run, opens, steps: run.steps + 1 };
}

function abandon(run: Run, callId: string, isSettled: boolean): Run {
  const call = run.opens as CallStep;
  const pool = run.choices[call.choice]?.pool ?? '';
  return { ...run, abandoned: [...run.abandoned, { callId, pool, isSettled }] };
}

/** What the outcome of the open tool step changes, whatever it opens. */
export function stepDone(run: Run, outcome: Outcome): Run {
  const step = run.opens as ToolStep;
  const { tests } = outcome;
  const isBaseline = step.tool === openingTool;
  return {
    ...run,
    turns: [...run.turns, { turn: 'step', step, outcome }],
    commit: outcome.commit ?? run.commit,
    ...(tests ? (isBaseline ? { baseline: tests } : { tests }) : {}),
    redRuns: run.redRuns + (tests && !isBaseline && !tests.testsPass ? 1 : 0),
  };
}
