import { defaultLimits } from './bounds.ts';
import { cloudEventType, rowOf, type DataOf, type TypeName } from './catalogue.ts';
import { deriveId, traceparentOf, type Envelope } from './envelope.ts';

const taskId = deriveId('example', 'task');
const runId = deriveId('example', 'run');
const reviewRunId = deriveId('example', 'review');
const callId = deriveId('example', 'call');
const deadId = deriveId('example', 'dead');
const atMs = Date.UTC(2026, 0, 31, 9, 30);
const baseCommit = '3f786850e387550fdab836ed7e6dc881de23001b';
const commit = '89e6c98d92887913cadf06b2adb97f26cde4849b';
const process = 'coder.5f2a9c31';

const claim = { sequence: 7, deliveries: 1, process };
const given = { atMs, inputId: deriveId('example', 'input'), process, claim };
const observed = { atMs, inputId: deriveId('example', 'observed'), process: 'operator.0c1d2e3f' };
const spend = { calls: 2, inputTokens: 1840, outputTokens: 212, costMicroDollars: 4100 };
const repository = { path: '/srv/code/meeting-slots', baseCommit, branch: 'main', uncommittedFiles: 0 };
const goal = 'Back-to-back meetings do not overlap';
const item = { role: 'coder' as const, goal, acceptance: 'All tests pass' };
const finding = {
  id: 'mutates-argument',
  severity: 'blocking' as const,
  file: 'slots.js',
  line: 12,
  evidence: "sort() changes the caller's array",
};
const tests = {
  testsPass: true,
  passed: 11,
  failed: 0,
  exitCode: 0,
  output: 'tests 11, pass 11, fail 0',
  restored: [],
  sandbox: 'bubblewrap' as const,
  durationMs: 412,
};
const reached = { commit, branch: `switchyard/${taskId}`, tests };
const choice = {
  model: 'small-coder',
  pool: 'local',
  backend: 'openai',
  contextTokens: 32_768,
  maxTokens: 4096,
  timeoutMs: 120_000,
  inputMicroDollars: 150_000,
  outputMicroDollars: 600_000,
};
const work = {
  runId,
  role: 'coder' as const,
  itemIndex: 0,
  itemCount: 1,
  goal: item.goal,
  acceptance: item.acceptance,
  hop: 0,
  cyclesLeft: 2,
  findings: [],
  notes: [],
  fromCommit: baseCommit,
  repository,
  test: 'node --test',
  baselineKnown: false,
  goalIsTests: false,
  limits: defaultLimits,
  spent: { calls: 0, inputTokens: 0, outputTokens: 0, costMicroDollars: 0 },
};
const review = {
  ...work,
  runId: reviewRunId,
  role: 'reviewer' as const,
  hop: 1,
  fromCommit: commit,
  lastTests: tests,
};
const callStep = { kind: 'call' as const, number: 1, callId, choice: 0, deadlineAtMs: atMs + 120_000 };
const inference = 'inference.90aa12fd';
const breakerChange = {
  given: { atMs, inputId: deriveId('example', 'breaker'), process: inference },
  pool: choice.pool,
  untilMs: atMs + 5000,
  trips: 1,
  counts: { failures: 0, successes: 0, causes: {} },
};
const toolStep = {
  kind: 'tool' as const,
  number: 2,
  tool: 'edit-file',
  arguments: { path: 'slots.js', find: '<=', replace: '<' },
  toolCallId: 'call_1',
  effect: 'queryable' as const,
  epoch: 1,
  claim,
  atMs,
};
const toolCall = { id: 'call_1', name: 'edit-file', arguments: toolStep.arguments };
const reply = {
  content: 'The comparison takes an end for an overlap.',
  toolCalls: [toolCall],
  finish: 'tool_calls' as const,
  inputTokens: 920,
  outputTokens: 106,
  tokensAreEstimated: false,
  attempts: 1,
  durationMs: 1830,
};
const outcome = { status: 'ok' as const, output: 'slots.js: 1 replacement', commit, durationMs: 9 };
const prices = { inputMicroDollars: choice.inputMicroDollars, outputMicroDollars: choice.outputMicroDollars };
const runJournal = `yard.event.${taskId}.run.coder.${runId}`;

/** One whole, valid example of the data of every row; the contract's tests and the pages are made of them. */
export const examples: { [Name in TypeName]: DataOf<Name> } = {
  'task.submit': {
    goal: item.goal,
    repository: repository.path,
    test: 'node --test',
    plan: 'single',
    limits: { cycles: 1, budgetMicroDollars: 500_000 },
  },
  'task.cancel': { taskId, reason: 'no longer wanted' },
  'task.pause': { taskId, reason: 'the branch is being rebased' },
  'task.resume': { taskId, cycles: 1, budgetMicroDollars: 500_000 },
  'task.answer': { taskId, answer: 'Meetings that only touch do not overlap.' },
  'task.approve': { taskId },

  'task.accepted': {
    given,
    goal: item.goal,
    goalIsTests: false,
    repository,
    test: 'node --test',
    approvePlan: false,
    limits: defaultLimits,
    notes: [],
    items: [item],
    next: work,
  },
  'task.rejected': {
    given,
    reasons: ['/srv/code/meeting-slots is not a git repository; run `git init` there'],
  },
  'task.planned': { given, items: [item], spend, next: work },
  'task.handed_over': { given, from: runId, commit, tests, spend, next: review },
  'task.revision_requested': {
    given,
    from: reviewRunId,
    why: 'review',
    findings: [finding],
    cyclesLeft: 1,
    commit,
    spend,
    next: { ...work, hop: 2, cyclesLeft: 1, findings: [finding], fromCommit: commit },
  },
  'task.waiting': { given, runId, role: 'coder', mend: './switchyard start coder' },
  'task.paused': {
    given,
    kind: 'review',
    reason: 'no review cycle is left',
    mend: `./switchyard resume ${taskId} --cycles 1`,
    runId: reviewRunId,
    findings: [finding],
    spend,
  },
  'task.resumed': { given, answer: 'Go on.', limits: { ...defaultLimits, cycles: 3 }, next: work },
  'task.completed': { given, ...reached, findings: [{ ...finding, severity: 'advice' }], spend },
  'task.failed': {
    given,
    kind: 'budget',
    reason: 'the budget is used up before the next run',
    mend: "./switchyard submit --repo /srv/code/meeting-slots --test 'node --test'",
    ...reached,
    spend,
  },
  'task.cancelled': { given, reason: 'no longer wanted', runId },
  'task.watch': { runId, role: 'coder', dueAtMs: atMs + 15_000 },
  'task.deadline': { acceptedAtMs: atMs, dueAtMs: atMs + defaultLimits.deadlineMs },

  'work.route': { work },
  'route.decided': {
    given,
    runId,
    role: 'coder',
    pool: choice.pool,
    model: choice.model,
    confidence: 0.9,
    rule: 'code stays local',
    why: 'the pool local is alive and its model has room for the task',
    choices: [choice],
    rejected: [{ model: 'large-coder', why: 'no live pool serves it' }],
    work,
  },
  'route.waiting': {
    given,
    runId,
    role: 'coder',
    why: 'no live pool serves a model for the coder',
    mend: './switchyard start inference',
    work,
  },

  'run.start': { work, choices: [choice] },
  'run.stop': { runId, reason: 'the task was cancelled' },
  'run.started': { given, work, choices: [choice], opens: callStep },
  'run.replied': { given, callId, reply, spend, opens: toolStep },
  'run.stepped': { given, number: 2, outcome, opens: { ...callStep, number: 3 } },
  'run.taken_over': {
    given,
    number: 2,
    epoch: 2,
    claim: { ...claim, deliveries: 2, process: 'coder.b81d07ee' },
    from: process,
  },
  'run.rerouted': {
    given,
    callId,
    why: 'the call had its time',
    spend,
    opens: { ...callStep, number: 2, choice: 1 },
  },
  'run.settled': { given, callId, spend },
  'run.concluded': {
    given,
    ending: 'done',
    reason: 'the tests pass',
    result: { role: 'coder', summary: 'An end no longer counts as an overlap.' },
    number: 4,
    outcome: { ...outcome, tests },
    commit,
    tests,
    spend,
    runId,
    role: 'coder',
  },
  'work.concluded': { journal: runJournal, sequence: 42 },
  'call.deadline': { runId, callId, dueAtMs: callStep.deadlineAtMs },

  'call.ask': {
    callId,
    runId,
    role: 'coder',
    model: choice.model,
    pool: choice.pool,
    messages: [
      { role: 'system', content: 'You mend code.' },
      { role: 'assistant', content: '', toolCalls: [toolCall] },
      { role: 'tool', toolCallId: toolCall.id, content: outcome.output, status: 'ok' },
    ],
    tools: [{ name: 'edit-file', description: 'Replaces a text in a file', arguments: { type: 'object' } }],
    maxTokens: choice.maxTokens,
    deadlineAtMs: callStep.deadlineAtMs,
    ...prices,
  },
  'call.cancel': { callId, runId, role: 'coder', reason: 'the run was stopped' },
  'call.intended': {
    given,
    callId,
    runId,
    role: 'coder',
    model: choice.model,
    pool: choice.pool,
    backend: choice.backend,
    worstCaseMicroDollars: 7400,
    ...prices,
    claim,
    epoch: 1,
  },
  'call.taken_over': { given, callId, claim, epoch: 2, from: 'inference.90aa12fd' },
  'call.completed': {
    given,
    callId,
    runId,
    reply,
    backend: choice.backend,
    model: choice.model,
    costMicroDollars: 2050,
  },
  'call.failed': {
    given,
    callId,
    runId,
    kind: 'retryable',
    message: '503 from http://127.0.0.1:8080/v1, three times',
    attempts: 3,
    backend: choice.backend,
    model: choice.model,
    costMicroDollars: 0,
  },
  'call.cancelled': { given, callId, runId, reason: 'the run was stopped', costMicroDollars: 0 },
  'call.answered': { journal: `yard.event.${taskId}.call.${callId}`, sequence: 41, runId },

  'mesh.dead_lettered': {
    messageId: deadId,
    subject: `yard.inbox.role.coder.${taskId}`,
    sequence: 9,
    deliveries: 1,
    reasons: ['data.work: must be object'],
    role: 'coder',
    process,
    atMs,
    retry: `./switchyard dead retry ${deadId}`,
  },
  'breaker.opened': {
    ...breakerChange,
    why: '5 of 6 attempts of small-coder failed within 60 s (5 server)',
    counts: { failures: 5, successes: 1, causes: { server: 5 } },
  },
  'breaker.half_opened': { ...breakerChange, why: 'it rested for 5 s', probe: inference },
  'breaker.closed': { ...breakerChange, why: 'small-coder answered its probe' },
  'mesh.mode': { given: observed, role: 'coder', mode: 'debug', untilMs: atMs + 300_000 },
  'mesh.crash': {
    given: observed,
    process,
    role: 'coder',
    sign: 'exit',
    why: `${process} was killed by SIGKILL`,
    untilMs: atMs + 300_000,
  },
  'message.dead': { journal: `yard.event.mesh.dead.${deadId}`, sequence: 43 },
};

/** The example of a row as a whole CloudEvent, as it stands on the wire. */
export function exampleEvent(name: TypeName): Envelope {
  const row = rowOf(name);
  const id = deriveId('example', name);
  const head = {
    specversion: '1.0' as const,
    id,
    type: cloudEventType(row),
    datacontenttype: 'application/json',
  };
  const data = examples[name];
  if (row.kind === 'request') return { ...head, source: '/your/program', data };
  const [sender] = row.publishedBy;
  const [recipient] = row.consumedBy;
  return {
    ...head,
    source: `/switchyard/${sender}`,
    subject: taskId,
    time: new Date(atMs).toISOString(),
    correlationid: taskId,
    causationid: given.inputId,
    traceparent: traceparentOf(taskId, id),
    hop: 0,
    cyclesleft: 2,
    ...(sender ? { sender } : {}),
    ...(recipient ? { recipient } : {}),
    data,
  };
}
