import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Ask, Reply } from '../schemas/call.ts';
import type { DataOf, TypeName } from '../schemas/catalogue.ts';
import { deriveId, message, shortType, type Envelope } from '../schemas/envelope.ts';
import type { Claim, Decision, Input } from '../schemas/service.ts';
import { dataProblems, problemsOf } from '../schemas/validate.ts';
import {
  decide,
  evolve,
  mostTakeOvers,
  noCall,
  openIntent,
  outbox,
  price,
  remember,
  takeOver,
  type Answer,
  type Call,
} from './call.ts';

const taskId = deriveId('tests', 'task');
const runId = deriveId('tests', 'run');
const callId = deriveId('tests', 'call');
const journal = `yard.event.${taskId}.call.${callId}`;
const secret = 'the whole prompt';
const lineage = { taskId, correlationId: taskId, causationId: 'tests', hop: 0, cyclesLeft: 2 };
const claim: Claim = { sequence: 4, deliveries: 1, process: 'inference.one' };

const ask: Ask = {
  callId,
  runId,
  role: 'reviewer',
  model: 'small',
  pool: 'local',
  messages: [{ role: 'user', content: secret.padEnd(2968) }],
  tools: [],
  maxTokens: 1000,
  deadlineAtMs: 60_000,
  inputMicroDollars: 1_000_000,
  outputMicroDollars: 10_000_000,
};
/** A token for every three of the 3000 characters read, and the longest reply. */
const worstCase = 1000 + 10_000;

const reply: Reply = {
  content: 'Right.',
  toolCalls: [],
  finish: 'stop',
  inputTokens: 7,
  outputTokens: 3,
  tokensAreEstimated: false,
  attempts: 1,
  durationMs: 5,
};
const answered: Answer = { answered: true, reply };
const failed: Answer = { answered: false, kind: 'retryable', message: '503', attempts: 4 };

/** A call that lives through real events, decided, validated and folded as the shell does it. */
function aCall() {
  let call: Call = noCall;
  const events: Envelope[] = [];

  function append(decision: Decision, input: Input): Decision {
    if (decision.do !== 'append') return decision;
    const given = {
      atMs: input.atMs,
      inputId: input.id,
      process: input.claim.process,
      claim: input.claim,
      ...(input.type === 'outcome' ? { outcome: true } : { command: input.event }),
      ...(input.facts === undefined ? {} : { facts: input.facts }),
    };
    const id = deriveId(journal, input.id, events.length, decision.type);
    const made = message(decision.type, id, 'inference', 'record', lineage, input.atMs, {
      ...decision.data,
      given,
    } as never);
    const event = JSON.parse(JSON.stringify(made)) as Envelope;
    expect(problemsOf(event)).toEqual([]);
    events.push(event);
    call = evolve(call, { journal, sequence: events.length * 2, event });
    return decision;
  }

  function inputOf<Name extends TypeName>(type: Name, data: DataOf<Name>, more: Partial<Input> = {}): Input {
    const event = remember(
      message(type, deriveId(callId, type), 'reviewer', 'pool local', lineage, 1_000, data),
    );
    return { id: event.id, type, event, atMs: 1_000, claim, facts: { backend: 'openai' }, ...more };
  }

  const self = {
    get call() {
      return call;
    },
    events,
    types: () => events.map((event) => shortType(event.type)),
    last: () => events.at(-1)!.data as Record<string, unknown>,
    asks: (more: Partial<Input> = {}) => {
      const input = inputOf('call.ask', ask, more);
      return append(decide(call, input), input);
    },
    cancels: () => {
      const input = inputOf('call.cancel', {
        callId,
        runId,
        role: 'reviewer',
        reason: 'the run was stopped',
      });
      return append(decide(call, input), input);
    },
    comesTo: (outcome: Answer) => {
      const input: Input = { id: deriveId(callId, 'call.ask'), type: 'outcome', outcome, atMs: 2_000, claim };
      return append(decide(call, input), input);
    },
    isTakenOver: (process: string) => {
      const { facts: _, ...input } = inputOf('call.ask', ask, {
        claim: { sequence: 4, deliveries: call.epoch + 1, process },
      });
      return append(takeOver(call, input), input);
    },
  };
  return self;
}

const nothing = { do: 'nothing' };

test('call: an ask declares it in the name of this very delivery, at its worst case', () => {
  const one = aCall();
  one.asks();
  expect(one.last()).toMatchObject({
    callId,
    runId,
    role: 'reviewer',
    model: 'small',
    pool: 'local',
    backend: 'openai',
    claim,
    epoch: 1,
    worstCaseMicroDollars: worstCase,
    inputMicroDollars: 1_000_000,
    outputMicroDollars: 10_000_000,
  });
  expect(one.call.phase).toBe('intended');
  expect(openIntent(one.call)).toEqual({
    inputId: deriveId(callId, 'call.ask'),
    key: 'answer',
    claim,
    epoch: 1,
    effect: 'idempotent',
    declaredAtMs: 1_000,
  });
  expect(outbox(one.call)).toEqual([]);
});

test.each<[string, Answer, string, object]>([
  [
    'an answer',
    answered,
    'call.completed',
    { callId, runId, reply, backend: 'openai', model: 'small', costMicroDollars: 37 },
  ],
  [
    'a failure',
    failed,
    'call.failed',
    { callId, runId, kind: 'retryable', message: '503', attempts: 4, model: 'small', costMicroDollars: 0 },
  ],
])('call: %s is written once and goes home to the role that asked', (_name, outcome, type, data) => {
  const one = aCall();
  one.asks();
  expect(one.comesTo(outcome)).toMatchObject({ type });
  expect(one.last()).toMatchObject(data);
  const home = outbox(one.call);
  expect(home).toMatchObject([
    {
      key: 'home',
      to: { inbox: 'role', role: 'reviewer' },
      type: 'call.answered',
      data: { journal, sequence: 4, runId },
    },
  ]);
  expect(dataProblems('call.answered', home[0]!.data)).toEqual([]);
  for (const again of [one.comesTo(answered), one.comesTo(failed), one.asks(), one.cancels()])
    expect(again).toEqual(nothing);
  expect(one.types()).toEqual(['call.intended', type]);
  expect(outbox(one.call)).toEqual(home);
  expect(openIntent(one.call)).toBeUndefined();
});

test('call: a second ask while the first is open declares nothing', () => {
  const one = aCall();
  one.asks();
  expect(one.asks({ id: 'another copy' })).toEqual(nothing);
});

test('call: whose time is over before a worker takes it is not put to a model', () => {
  const one = aCall();
  one.asks({ atMs: 60_000 + 250 });
  expect(one.types()).toEqual(['call.failed']);
  expect(one.last()).toMatchObject({
    kind: 'retryable',
    message: expect.stringMatching(/^its time was over 250 ms before a worker of the pool local/),
    costMicroDollars: 0,
  });
  expect(outbox(one.call)).toMatchObject([{ to: { inbox: 'role', role: 'reviewer' }, data: { runId } }]);
});

test('cancel: of an open call counts its worst case, and a later answer is nothing', () => {
  const one = aCall();
  one.asks();
  one.cancels();
  expect(one.last()).toMatchObject({
    callId,
    runId,
    reason: 'the run was stopped',
    costMicroDollars: worstCase,
  });
  expect(openIntent(one.call)).toBeUndefined();
  expect(one.comesTo(answered)).toEqual(nothing);
  expect(one.cancels()).toEqual(nothing);
  expect(outbox(one.call)).toMatchObject([{ to: { role: 'reviewer' }, data: { sequence: 4 } }]);
});

test('cancel: before the ask is a tombstone that costs nothing, and goes home to the right role', () => {
  const one = aCall();
  one.cancels();
  expect(one.last()).toMatchObject({ callId, runId, costMicroDollars: 0 });
  expect(outbox(one.call)).toMatchObject([
    { to: { inbox: 'role', role: 'reviewer' }, data: { journal, sequence: 2, runId } },
  ]);
  expect(one.asks()).toEqual(nothing);
  expect(one.types()).toEqual(['call.cancelled']);
});

test('take-over: raises the epoch with the new claim, and each earlier try counts at its worst case', () => {
  const one = aCall();
  one.asks();
  one.isTakenOver('inference.two');
  expect(one.last()).toMatchObject({
    epoch: 2,
    claim: { deliveries: 2, process: 'inference.two' },
    from: 'inference.one',
  });
  one.isTakenOver('inference.three');
  expect(openIntent(one.call)).toMatchObject({
    inputId: deriveId(callId, 'call.ask'),
    epoch: 3,
    claim: { deliveries: 3, process: 'inference.three' },
  });
  one.comesTo(answered);
  expect(one.last()['costMicroDollars']).toBe(37 + 2 * worstCase);
});

test('take-over: a failure and a cancel count the earlier tries too', () => {
  const one = aCall();
  one.asks();
  one.isTakenOver('inference.two');
  one.comesTo(failed);
  expect(one.last()['costMicroDollars']).toBe(worstCase);
  const other = aCall();
  other.asks();
  other.isTakenOver('inference.two');
  other.cancels();
  expect(other.last()['costMicroDollars']).toBe(2 * worstCase);
});

test('take-over: a call on which worker after worker ended is given up, with the reason, and goes home', () => {
  const one = aCall();
  one.asks();
  for (let count = 1; count <= mostTakeOvers; count += 1) one.isTakenOver(`inference.${count}`);
  expect(one.call).toMatchObject({ phase: 'intended', epoch: mostTakeOvers + 1 });
  one.isTakenOver('inference.last');
  expect(one.types().at(-1)).toBe('call.failed');
  expect(one.last()).toMatchObject({
    callId,
    kind: 'retryable',
    cause: 'crash',
    attempts: 4,
    message: expect.stringMatching(/^4 workers in a row ended .* the last of them inference\.3/),
    costMicroDollars: 4 * worstCase,
  });
  expect(openIntent(one.call)).toBeUndefined();
  expect(outbox(one.call)).toHaveLength(1);
  // Its worker was only slow: what it brings after all is nothing.
  expect(one.comesTo(answered)).toEqual(nothing);
});

test('breaker: while its pool rests a call waits for the probe if that comes soon, else it fails for another model', () => {
  const rests = (untilMs: number, more: object = {}) => {
    const one = aCall();
    const breaker = { sinceMs: 500, untilMs, why: '5 of 5 attempts failed' };
    return { one, decision: one.asks({ facts: { backend: 'openai', breaker, ...more } }) };
  };
  expect(rests(6_000).decision).toEqual({ do: 'later', delayMs: 5_500 });
  expect(rests(900).decision).toEqual({ do: 'later', delayMs: 500 });
  for (const untilMs of [30_000, ask.deadlineAtMs]) {
    const { one } = rests(untilMs);
    expect(one.last()).toMatchObject({
      kind: 'retryable',
      cause: 'breaker',
      attempts: 0,
      costMicroDollars: 0,
      message: 'the pool local rests: 5 of 5 attempts failed',
    });
    expect(outbox(one.call)).toHaveLength(1);
  }
});

test('call: one that only another worker can ask is left to it, ever longer, until it is late', () => {
  const takenBy = (deliveries: number, atMs: number) => {
    const facts = { backend: 'unknown', askable: 'elsewhere' };
    return aCall().asks({ facts, atMs, claim: { ...claim, deliveries } });
  };
  const { deadlineAtMs } = ask;
  expect(takenBy(1, 1_000)).toEqual({ do: 'later', delayMs: 100 });
  expect(takenBy(3, 1_000)).toEqual({ do: 'later', delayMs: 400 });
  // However far its deadline is, it is not taken so often that it would be given up as endless.
  for (const leftMs of [10_000, 300_000, 86_400_000]) {
    let atMs = deadlineAtMs - leftMs;
    let deliveries = 1;
    for (; deliveries < 100; deliveries += 1) {
      const decision = takenBy(deliveries, atMs);
      if (decision.do !== 'later') break;
      atMs += decision.delayMs;
    }
    expect(deliveries).toBeLessThan(100);
    expect(takenBy(deliveries, atMs)).toMatchObject({ type: 'call.failed', data: { cause: 'late' } });
  }
});

test('call: one that no worker can ask fails at once, for another model', () => {
  const one = aCall();
  one.asks({ facts: { backend: 'unknown', askable: 'nowhere' } });
  expect(one.last()).toMatchObject({
    kind: 'retryable',
    cause: 'refused',
    attempts: 0,
    message: expect.stringMatching(/^no live worker of the pool local can ask the model small: .*variable/),
  });
  expect(outbox(one.call)).toHaveLength(1);
});

test('call: a failure names its kind and the request, and replies that could not be used are paid for', () => {
  const one = aCall();
  one.asks();
  one.comesTo({
    answered: false,
    kind: 'permanent',
    cause: 'schema',
    message: 'it breaks its schema',
    attempts: 3,
    requestId: 'gateway-1',
    inputTokens: 30,
    outputTokens: 12,
  });
  expect(one.last()).toMatchObject({ cause: 'schema', requestId: 'gateway-1', costMicroDollars: 30 + 120 });
});

test('price: whole micro-dollars, rounded up', () => {
  const prices = { inputMicroDollars: 150_000, outputMicroDollars: 600_000 };
  expect(price({ inputTokens: 0, outputTokens: 0 }, prices)).toBe(0);
  expect(price({ inputTokens: 1, outputTokens: 0 }, prices)).toBe(1);
  expect(price({ inputTokens: 1_000_000, outputTokens: 1_000_000 }, prices)).toBe(750_000);
  expect(
    price({ inputTokens: 1000, outputTokens: 100 }, { inputMicroDollars: 0, outputMicroDollars: 0 }),
  ).toBe(0);
});

test('price: what goes by way of the cache has a price of its own, where one is given', () => {
  const tokens = {
    inputTokens: 1_000_000,
    cachedInputTokens: 600_000,
    cacheWriteTokens: 100_000,
    outputTokens: 0,
  };
  const prices = { inputMicroDollars: 1_000_000, outputMicroDollars: 0 };
  expect(price(tokens, prices)).toBe(1_000_000);
  expect(price(tokens, { ...prices, cachedInputMicroDollars: 100_000 })).toBe(460_000);
  expect(
    price(tokens, { ...prices, cachedInputMicroDollars: 100_000, cacheWriteMicroDollars: 1_250_000 }),
  ).toBe(485_000);
});

test('remember: keeps what deciding needs and nothing of the prompt or the tools', () => {
  const tools = [{ name: 'read-file', description: secret, arguments: {} }];
  const whole = message('call.ask', callId, 'coder', 'pool local', lineage, 1_000, { ...ask, tools });
  const kept = remember(whole);
  expect(JSON.stringify(kept)).not.toContain(secret);
  expect(kept).toMatchObject({
    id: whole.id,
    data: {
      callId,
      maxTokens: 1000,
      characters: JSON.stringify(ask.messages).length + JSON.stringify(tools).length,
    },
  });
  expect(JSON.stringify(whole)).toContain(secret);
  const schema = { name: 'verdict', schema: { title: secret } };
  const formal = remember({ ...whole, data: { ...ask, schema } });
  expect(JSON.stringify(formal)).not.toContain(secret);
  expect((formal.data as { characters: number }).characters).toBe(
    JSON.stringify(ask.messages).length + 2 + JSON.stringify(schema).length,
  );
  const cancel = message('call.cancel', callId, 'coder', 'pool local', lineage, 1_000, {
    callId,
    runId,
    role: 'coder',
    reason: 'r',
  });
  expect(remember(cancel)).toBe(cancel);
});

test('replay: the journal alone, which holds no prompt, decides the same again', () => {
  const one = aCall();
  one.asks();
  one.comesTo(answered);
  expect(JSON.stringify(one.events)).not.toContain(secret);
  const { given, ...data } = one.events[0]!.data as {
    given: { inputId: string; atMs: number; claim: Claim; command: Envelope; facts: unknown };
  };
  const { inputId: id, atMs, claim: held, command, facts } = given;
  expect(decide(noCall, { id, type: 'call.ask', event: command, atMs, claim: held, facts })).toEqual({
    do: 'append',
    type: 'call.intended',
    data,
  });
});

test('call: whatever happens in whatever order, it ends at most once, and then goes home', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('ask', 'cancel', 'answer', 'fail', 'take over'), { maxLength: 12 }),
      (happenings) => {
        const one = aCall();
        for (const it of happenings) {
          if (it === 'ask') one.asks();
          else if (it === 'cancel') one.cancels();
          else if (it === 'answer') one.comesTo(answered);
          else if (it === 'fail') one.comesTo(failed);
          else if (openIntent(one.call)) one.isTakenOver('inference.two');
        }
        const ends = one.types().filter((type) => type !== 'call.intended' && type !== 'call.taken_over');
        expect(ends.length).toBeLessThanOrEqual(1);
        expect(one.types().filter((type) => type === 'call.intended').length).toBeLessThanOrEqual(1);
        if (ends.length > 0) expect(one.types().at(-1)).toBe(ends[0]);
        // A call that nobody heard of, one that is open, or one that goes home.
        expect(
          [one.events.length === 0, openIntent(one.call) !== undefined, outbox(one.call).length === 1].filter(
            Boolean,
          ),
        ).toHaveLength(1);
      },
    ),
    { numRuns: 300 },
  );
});
