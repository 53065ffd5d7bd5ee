import { generateKeyPairSync } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { openSigner, openVerifier } from '../bus/signature.ts';
import { defaultLimits } from '../schemas/bounds.ts';
import { cloudEventType, rowOf } from '../schemas/catalogue.ts';
import { deriveId, message, shortType, taskIdOf, type Envelope } from '../schemas/envelope.ts';
import { examples } from '../schemas/examples.ts';
import type { Role } from '../schemas/row.ts';
import type { Input } from '../schemas/service.ts';
import { journalSubject, readJournalSubject } from '../schemas/subject.ts';
import { deciderOf } from './service-of.ts';
import { verifyTask, type Entry } from './verify.ts';

const namespace = 'yard';
const keys = Object.fromEntries(
  ['manager', 'router', 'coder', 'inference'].map((role) => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519', {
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    });
    return [role, { sign: openSigner(privateKey), publicKey }];
  }),
);
const isSigned = openVerifier(
  Object.fromEntries(Object.entries(keys).map(([role, key]) => [role, key.publicKey])),
);
const claim = { sequence: 5, deliveries: 1, process: 'someone.00000000' };

/** Writes a record with the roles' own functions, as the shell does, but onto a list. */
function openRecord() {
  const entries: Entry[] = [];
  const journals = new Map<string, { state: unknown; count: number }>();

  function append(
    journal: string,
    author: Role,
    input: Omit<Input, 'claim' | 'atMs'>,
    atMs: number,
    takesOver = false,
  ): Envelope {
    const decider = deciderOf(readJournalSubject(namespace, journal)!)!;
    const folded = journals.get(journal) ?? { state: decider.initial, count: 0 };
    const whole: Input = { ...input, claim, atMs };
    const decision = takesOver ? decider.takeOver(folded.state, whole) : decider.decide(folded.state, whole);
    if (decision.do !== 'append') throw new Error(`${author} decides ${decision.do} on ${input.type}`);
    const given = {
      atMs,
      inputId: input.id,
      process: claim.process,
      claim,
      ...(input.type === 'outcome'
        ? { outcome: true }
        : input.reference
          ? { reference: input.reference }
          : { command: input.event }),
      ...(input.facts === undefined ? {} : { facts: input.facts }),
    };
    const id = deriveId(journal, input.id, folded.count, decision.type);
    const lineage = {
      taskId,
      correlationId: taskId,
      causationId: input.id,
      hop: decision.hop ?? 0,
      cyclesLeft: decision.cyclesLeft ?? 0,
    };
    const event = message(decision.type as 'task.rejected', id, author, 'record', lineage, atMs, {
      ...decision.data,
      given,
    } as never);
    const sequence = put(journal, author, event);
    journals.set(journal, {
      state: decider.evolve(folded.state, { journal, sequence, event }),
      count: folded.count + 1,
    });
    return event;
  }

  function put(journal: string, signer: string, event: unknown): number {
    const body = Buffer.from(JSON.stringify(event));
    entries.push({
      journal,
      sequence: entries.length + 1,
      body,
      signature: keys[signer]!.sign(journal, body),
    });
    return entries.length;
  }
  return { entries, append, put };
}

const request: Envelope = {
  specversion: '1.0',
  id: 'one',
  source: '/test',
  type: cloudEventType(rowOf('task.submit')),
  data: { repository: '/srv/code/meeting-slots', test: 'node --test' },
};
const taskId = taskIdOf(request);
const { choices } = examples['run.start'];
const acceptance = {
  repository: examples['task.accepted'].repository,
  allowedTests: ['node --test'],
  allowedSetups: [],
  models: [],
  limits: defaultLimits,
};
const taskJournal = journalSubject(namespace, { entity: 'task', taskId });

const reply = { answered: true, reply: examples['call.completed'].reply };

/** Accepted, routed, started, prepared, asked, answered: every kind of input once. */
function makeRecord(answer: object = reply) {
  const record = openRecord();
  const accepted = record.append(
    taskJournal,
    'manager',
    { id: request.id, type: 'task.submit', event: request, facts: { acceptance } },
    1000,
  );
  const { next: work } = accepted.data as { next: { runId: string } };
  const command = (type: 'work.route' | 'run.start' | 'call.ask', id: string, data: object): Envelope => ({
    ...request,
    id,
    type: cloudEventType(rowOf(type)),
    subject: taskId,
    data,
  });

  const routeJournal = journalSubject(namespace, { entity: 'route', taskId, id: work.runId });
  const model = { ...choices[0]!, tags: [] };
  const routing = {
    models: { [model.model]: model },
    preferred: [model.model],
    rules: [],
    livePools: [model.pool],
  };
  record.append(
    routeJournal,
    'router',
    { id: 'route', type: 'work.route', event: command('work.route', 'route', { work }), facts: routing },
    1100,
  );

  const runJournal = journalSubject(namespace, { entity: 'run', taskId, role: 'coder', id: work.runId });
  const start = command('run.start', 'start', { work, choices });
  const effects = { effects: { prepare: 'idempotent' } };
  record.append(runJournal, 'coder', { id: 'start', type: 'run.start', event: start, facts: effects }, 1200);
  record.append(runJournal, 'coder', { id: 'start', type: 'run.start', event: start }, 1300, true);
  const red = { ...examples['task.completed'].tests!, testsPass: false };
  const stepped = record.append(
    runJournal,
    'coder',
    { id: 'start', type: 'outcome', outcome: { status: 'ok', output: 'red', tests: red } },
    1400,
  );

  const { callId } = (stepped.data as { opens: { callId: string } }).opens;
  const callJournal = journalSubject(namespace, { entity: 'call', taskId, id: callId });
  const ask = command('call.ask', 'ask', {
    ...examples['call.ask'],
    callId,
    runId: work.runId,
    messages: [],
    tools: [],
    characters: 900,
  });
  record.append(
    callJournal,
    'inference',
    { id: 'ask', type: 'call.ask', event: ask, facts: { backend: 'openai' } },
    1500,
  );
  const answered = record.append(
    callJournal,
    'inference',
    { id: 'ask', type: 'outcome', outcome: answer },
    1600,
  );
  const reference = { journal: callJournal, sequence: record.entries.length };
  record.append(
    runJournal,
    'coder',
    { id: 'home', type: shortType(answered.type), event: answered, reference, facts: effects },
    1700,
  );
  return record;
}

let entries: Entry[];
beforeAll(() => {
  entries = makeRecord().entries;
});

const typeOf = (entry: Entry) =>
  (JSON.parse(Buffer.from(entry.body).toString()) as Envelope).type.split('.').slice(2, -1).join('.');

/** The record with one entry's event changed, and signed anew by its author, as a role gone wrong would write it. */
function changed(type: string, change: (data: Record<string, never>) => void, signer?: string): Entry[] {
  return entries.map((entry) => {
    if (typeOf(entry) !== type) return entry;
    const event = JSON.parse(Buffer.from(entry.body).toString()) as Envelope<Record<string, never>>;
    change(event.data);
    const body = Buffer.from(JSON.stringify(event));
    return { ...entry, body, signature: keys[signer ?? event.sender!]!.sign(entry.journal, body) };
  });
}

test('verify: what the roles decided comes out equal, every decision and signature', async () => {
  expect(entries.map(typeOf)).toEqual([
    'task.accepted',
    'route.decided',
    'run.started',
    'run.taken_over',
    'run.stepped',
    'call.intended',
    'call.completed',
    'run.replied',
  ]);
  expect(await verifyTask(entries, { namespace, isSigned })).toEqual({
    journals: 4,
    decisions: 8,
    signatures: 8,
    problems: [],
  });
});

test('verify: a call that failed comes out equal, with all that its failure says', async () => {
  const { kind, message, attempts } = examples['call.failed'];
  const more = { cause: 'reply', requestId: 'one', inputTokens: 1, outputTokens: 2, durationMs: 6 };
  const { entries: all } = makeRecord({ answered: false, kind, message, attempts, ...more });
  expect(all.map(typeOf)).toContain('call.failed');
  expect(await verifyTask(all, { namespace, isSigned })).toMatchObject({ problems: [] });
});

test.each([
  ['task.accepted', (data: Record<string, never>) => Object.assign(data, { goal: 'another' }), 'data.goal'],
  [
    'route.decided',
    (data: Record<string, never>) => Object.assign(data, { confidence: 0.1 }),
    'data.confidence',
  ],
  [
    'run.replied',
    (data: Record<string, { arguments: object }>) =>
      Object.assign(data['opens']!.arguments, { path: 'other.js' }),
    'data.opens.arguments.path',
  ],
  [
    'call.completed',
    (data: Record<string, never>) => Object.assign(data, { costMicroDollars: 1 }),
    'data.costMicroDollars',
  ],
])('verify: a changed %s is found, with the path', async (type, change, path) => {
  const { problems } = await verifyTask(changed(type, change as never), { namespace, isSigned });
  expect(problems[0]).toMatchObject({
    type,
    what: 'it is decided otherwise now',
    differences: [expect.objectContaining({ path })],
  });
});

test('verify: bytes that their author did not sign are not believed', async () => {
  const forged = changed('route.decided', () => {}, 'coder');
  const { problems } = await verifyTask(forged, { namespace, isSigned });
  expect(problems).toMatchObject([
    { type: 'route.decided', what: 'it is not believed: it is not signed by the router for this journal' },
  ]);
});

test('verify: an entry on a journal of another kind is not believed', async () => {
  const record = makeRecord();
  const accepted = JSON.parse(Buffer.from(record.entries[0]!.body).toString()) as Envelope;
  record.put(taskJournal, 'coder', { ...accepted, sender: 'coder' });
  const { problems } = await verifyTask(record.entries, { namespace, isSigned });
  expect(problems).toMatchObject([{ what: 'it is not believed: coder may not say task.accepted' }]);
});

test('verify: a missing entry is noticed by those that build on it', async () => {
  const without = entries.filter((entry) => typeOf(entry) !== 'call.completed');
  const { problems } = await verifyTask(without, { namespace, isSigned });
  expect(problems).toMatchObject([
    { type: 'run.replied', what: expect.stringContaining('which is not there') },
  ]);
  const taken = entries.find((entry) => typeOf(entry) === 'call.completed');
  const found = await verifyTask(without, { namespace, isSigned, readElsewhere: async () => taken });
  expect(found.problems).toEqual([]);
});

test('verify: a second copy of an event is a decision that nobody would make', async () => {
  const twice = [...entries, { ...entries[0]!, sequence: 99 }];
  const { problems } = await verifyTask(twice, { namespace, isSigned });
  expect(problems).toMatchObject([
    {
      type: 'task.accepted',
      differences: [{ path: '(decision)', stored: 'task.accepted', decided: 'nothing' }],
    },
  ]);
});

test('verify: without keys the decisions are still compared', async () => {
  const verdict = await verifyTask(
    changed('route.decided', () => {}, 'coder'),
    { namespace },
  );
  expect(verdict).toMatchObject({ signatures: 0, problems: [] });
});
