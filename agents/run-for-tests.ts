/** For tests only: a run that lives through real events, decided, validated and folded as the shell does it. */
import { defaultLimits, type Limits } from '../schemas/bounds.ts';
import type { Reply } from '../schemas/call.ts';
import type { DataOf, TypeName } from '../schemas/catalogue.ts';
import { deriveId, message, shortType, type Envelope, type Lineage } from '../schemas/envelope.ts';
import type { Given } from '../schemas/row.ts';
import type { CallStep, Outcome, ToolStep } from '../schemas/run.ts';
import type { Claim, Decision, Follow, Input, Owed } from '../schemas/service.ts';
import { authorProblem } from '../schemas/subject.ts';
import { problemsOf } from '../schemas/validate.ts';
import { noSpend, type Choice, type TestReport, type Work } from '../schemas/work.ts';
import { outbox, type ToolText } from './owed.ts';
import type { AgentDefinition } from './role.ts';
import { coder } from './roles/coder.ts';
import { decide, openIntent, takeOver, type RunFacts } from './run.ts';
import { evolve, noRun, type Run, type ToolCallOfReply } from './run-state.ts';

export const taskId = deriveId('tests', 'task');
export const runId = deriveId('tests', 'run');
export const base = 'b'.repeat(40);
export const changed = 'c'.repeat(40);
/** When every run of the tests starts, milliseconds since 1970 UTC. */
const startsAtMs = 1_000_000;

export const limitsOf = (more: Partial<Limits> = {}): Limits => ({ ...defaultLimits, ...more });

export function workOf(more: Partial<Work> = {}): Work {
  return {
    runId,
    role: 'coder',
    itemIndex: 0,
    itemCount: 1,
    goal: 'Meetings back to back do not overlap',
    hop: 0,
    cyclesLeft: 2,
    findings: [],
    notes: [],
    fromCommit: base,
    repository: { path: '/srv/code', baseCommit: base, branch: 'main', uncommittedFiles: 0 },
    test: 'node --test',
    baselineKnown: false,
    goalIsTests: false,
    limits: limitsOf(),
    spent: noSpend,
    ...more,
  };
}

export function choiceOf(model: string, more: Partial<Choice> = {}): Choice {
  return {
    model,
    pool: `pool-of-${model}`,
    backend: 'openai',
    contextTokens: 32_768,
    maxTokens: 1000,
    timeoutMs: 60_000,
    inputMicroDollars: 0,
    outputMicroDollars: 0,
    ...more,
  };
}

export const call = (
  name: string,
  given: Record<string, unknown> = {},
  id = `call_${name}`,
): ToolCallOfReply => ({
  id,
  name,
  arguments: given,
});
export const broken = (name: string, written: string): ToolCallOfReply => ({
  id: `broken_${name}`,
  name,
  arguments: null,
  invalidArguments: written,
});
export const finish = (given: Record<string, unknown> = { summary: 'It is done.' }, id = 'call_finish') =>
  call('finish', given, id);

export function replyOf(said: string | ToolCallOfReply[], more: Partial<Reply> = {}): Reply {
  const toolCalls = typeof said === 'string' ? [] : said;
  return {
    content: typeof said === 'string' ? said : '',
    toolCalls,
    finish: toolCalls.length > 0 ? 'tool_calls' : 'stop',
    inputTokens: 100,
    outputTokens: 10,
    tokensAreEstimated: false,
    attempts: 1,
    durationMs: 5,
    ...more,
  };
}

export const report = (testsPass: boolean, output = testsPass ? 'all pass' : '2 fail'): TestReport => ({
  testsPass,
  passed: null,
  failed: null,
  exitCode: testsPass ? 0 : 1,
  output,
  restored: [],
  sandbox: 'bubblewrap',
  durationMs: 1,
});
export const green: Outcome = { status: 'ok', output: 'all pass', tests: report(true) };
export const red: Outcome = { status: 'failed', output: '2 fail', tests: report(false) };
/** The opening step of a baseline that fails, where the work begins. */
export const redBaseline: Outcome = { ...red, status: 'ok' };
export const edited: Outcome = { status: 'ok', output: '1 replacement', commit: changed };

export interface LifeOptions {
  work?: Partial<Work>;
  choices?: Choice[];
  effects?: RunFacts['effects'];
}

export interface Life {
  readonly run: Run;
  /** Every event of the journal. */
  readonly events: readonly Envelope[];
  /** Where the run's events stand, and those of other journals that came home to it. */
  readonly record: { journal: string; sequence: number; event: Envelope }[];
  readonly lastType: string;
  lastData<Name extends TypeName>(type: Name): DataOf<Name>;
  owed(): (Owed | Follow)[];
  /** Meets an input as the shell does: takes over its own open intent, else decides; appends what is decided. */
  meet(input: Input): Decision;
  openCall(): CallStep;
  openTool(): ToolStep;
  inputOfStart(): Input;
  inputOfStop(reason?: string): Input;
  inputOfAnswer(callId: string, reply: Reply, costMicroDollars?: number): Input;
  inputOfFailure(callId: string, message: string, costMicroDollars?: number): Input;
  inputOfCancelled(callId: string, costMicroDollars?: number): Input;
  inputOfDeadline(callId: string, dueAtMs: number, atMs: number): Input;
  inputOfOutcome(outcome: Outcome): Input;
  start(): Life;
  stop(reason?: string): Life;
  /** The open call is answered. */
  replies(said: string | ToolCallOfReply[], more?: Partial<Reply>, costMicroDollars?: number): Life;
  fails(message: string, costMicroDollars?: number): Life;
  isLate(): Life;
  /** The open tool step comes to this. */
  performs(outcome: Outcome): Life;
  /** Another process meets the open step's own message again. */
  isTakenOver(process: string): Life;
}

/** A run that has not begun. */
export function aRun(definition: AgentDefinition = coder, options: LifeOptions = {}): Life {
  const work = workOf({ role: definition.name as Work['role'], ...options.work });
  const choices = options.choices ?? [choiceOf('small'), choiceOf('large')];
  const facts: RunFacts = { effects: options.effects ?? { 'edit-file': 'queryable' } };
  const journal = `yard.event.${taskId}.run.${definition.name}.${runId}`;
  const tools: ToolText[] = [...definition.tools, 'run-tests'].map((name) => ({
    name,
    description: `${name} does what it says`,
    arguments: { type: 'object' },
  }));
  const events: Envelope[] = [];
  const record: Life['record'] = [];
  let run: Run = noRun;
  let nowMs = startsAtMs;
  let lastInput: Input | undefined;

  const tick = () => (nowMs += 10);
  const claim: Claim = { sequence: 1, deliveries: 1, process: `${definition.name}.tests` };
  const lineage: Lineage = {
    taskId,
    correlationId: taskId,
    causationId: 'tests',
    hop: work.hop,
    cyclesLeft: work.cyclesLeft,
  };

  function command<Name extends TypeName>(
    type: Name,
    data: DataOf<Name>,
    id = deriveId(runId, type),
  ): Envelope {
    return message(type, id, 'manager', definition.name, lineage, nowMs, data);
  }

  function inputOf(type: string, event: Envelope, id = event.id): Input {
    return { id, type, event, atMs: tick(), claim, facts };
  }

  function concluding<Name extends 'call.completed' | 'call.failed' | 'call.cancelled'>(
    type: Name,
    callId: string,
    data: object,
  ): Input {
    const callJournal = `yard.event.${taskId}.call.${callId}`;
    const given = { atMs: nowMs, inputId: 'ask', process: 'inference.tests', claim };
    const event = message(type, deriveId(callJournal, type), 'inference', 'record', lineage, nowMs, {
      given,
      callId,
      runId,
      ...data,
    } as unknown as DataOf<Name>);
    const problems = problemsOf(event);
    if (problems.length > 0) throw new Error(problems.join('; '));
    // Far from where the run's own events stand.
    const sequence = 10_000 + record.length;
    record.push({ journal: callJournal, sequence, event });
    return {
      ...inputOf(type, event, deriveId(callJournal, 'home')),
      reference: { journal: callJournal, sequence },
    };
  }

  function append(decision: Decision & { do: 'append' }, input: Input): void {
    const given: Given = {
      atMs: input.atMs,
      inputId: input.id,
      process: input.claim.process,
      claim: input.claim,
      ...(input.type === 'outcome'
        ? { outcome: true }
        : input.reference
          ? { reference: input.reference }
          : { command: input.event }),
      ...(input.facts === undefined ? {} : { facts: input.facts }),
    };
    const id = deriveId(journal, input.id, events.length, decision.type);
    const { hop = 0, cyclesLeft = 0 } = decision;
    const made = message(
      decision.type,
      id,
      definition.name,
      'record',
      { ...lineage, hop, cyclesLeft },
      input.atMs,
      {
        ...decision.data,
        given,
      } as never,
    );
    // As it comes back from the wire.
    const event = JSON.parse(JSON.stringify(made)) as Envelope;
    const problems = problemsOf(event);
    const author = authorProblem({ entity: 'run', taskId, role: definition.name, id: runId }, event);
    if (author) problems.push(author);
    if (problems.length > 0) throw new Error(`${decision.type}: ${problems.join('; ')}`);
    events.push(event);
    const stored = { journal, sequence: events.length * 3, event };
    record.push(stored);
    run = evolve(run, stored);
  }

  function meet(input: Input): Decision {
    const intent = openIntent(run);
    const isOwn = intent !== undefined && intent.inputId === input.id && input.type !== 'outcome';
    if (
      isOwn &&
      intent.claim.process === input.claim.process &&
      intent.claim.deliveries === input.claim.deliveries
    ) {
      return { do: 'nothing' };
    }
    // The shell looks nothing up when it takes over, nor for the outcome of an act.
    const { facts: _, ...bare } = input;
    const decision = isOwn ? takeOver(definition, run, bare) : decide(definition, run, input);
    if (decision.do === 'append') append(decision, isOwn ? bare : input);
    if (input.type !== 'outcome' && !isOwn) lastInput = input;
    return decision;
  }

  const openCall = () => {
    if (run.opens?.kind !== 'call') throw new Error(`no call is open, but ${JSON.stringify(run.opens)}`);
    return run.opens;
  };
  const openTool = () => {
    if (run.opens?.kind !== 'tool') throw new Error(`no tool step is open, but ${JSON.stringify(run.opens)}`);
    return run.opens;
  };

  const life: Life = {
    get run() {
      return run;
    },
    events,
    record,
    get lastType() {
      return shortType(events.at(-1)?.type ?? '');
    },
    lastData(type) {
      if (life.lastType !== type) throw new Error(`the last event is ${life.lastType}`);
      return events.at(-1)!.data as never;
    },
    owed: () => outbox(definition, tools, run),
    meet,
    openCall,
    openTool,
    inputOfStart: () => inputOf('run.start', command('run.start', { work, choices })),
    inputOfStop: (reason = 'the task was cancelled') =>
      inputOf('run.stop', command('run.stop', { runId, reason })),
    inputOfAnswer: (callId, reply, costMicroDollars = 0) =>
      concluding('call.completed', callId, { reply, backend: 'openai', model: 'small', costMicroDollars }),
    inputOfFailure: (callId, text, costMicroDollars = 0) =>
      concluding('call.failed', callId, {
        kind: 'retryable',
        message: text,
        attempts: 1,
        backend: 'openai',
        model: 'small',
        costMicroDollars,
      }),
    inputOfCancelled: (callId, costMicroDollars = 0) =>
      concluding('call.cancelled', callId, { reason: 'nobody waits', costMicroDollars }),
    inputOfDeadline: (callId, dueAtMs, atMs) => {
      const timer = command('call.deadline', { runId, callId, dueAtMs }, deriveId(callId, 'deadline'));
      return { ...inputOf('call.deadline', timer), atMs };
    },
    inputOfOutcome: (outcome) => {
      const { facts: _, ...input } = { ...lastInput!, type: 'outcome', outcome, atMs: tick() };
      return { ...input, claim: run.opens?.kind === 'tool' ? run.opens.claim : claim };
    },
    start: () => (meet(life.inputOfStart()), life),
    stop: (reason) => (meet(life.inputOfStop(reason)), life),
    replies: (said, more, cost) => (
      meet(life.inputOfAnswer(openCall().callId, replyOf(said, more), cost)),
      life
    ),
    fails: (text, cost) => (meet(life.inputOfFailure(openCall().callId, text, cost)), life),
    isLate() {
      const { callId, deadlineAtMs } = openCall();
      meet(life.inputOfDeadline(callId, deadlineAtMs, deadlineAtMs + 1));
      return life;
    },
    performs(outcome) {
      openTool();
      meet(life.inputOfOutcome(outcome));
      return life;
    },
    isTakenOver(process) {
      const { deliveries, sequence } = openTool().claim;
      const { inputId } = openIntent(run)!;
      meet({ ...lastInput!, id: inputId, claim: { sequence, deliveries: deliveries + 1, process } });
      return life;
    },
  };
  return life;
}
