import type { Ask, FailureCause, Reply } from '../schemas/call.ts';
import type { DataOf, EventOf } from '../schemas/catalogue.ts';
import { shortType, type Envelope } from '../schemas/envelope.ts';
import type { AgentRole } from '../schemas/row.ts';
import type { Claim, Decision, Input, OpenIntent, Owed, Stored } from '../schemas/service.ts';

/** A model call as its journal says it is. */
export interface Call {
  phase: 'none' | 'intended' | 'over';
  callId: string;
  runId: string;
  role?: AgentRole;
  model: string;
  pool: string;
  backend: string;
  claim?: Claim;
  epoch: number;
  inputId: string;
  declaredAtMs: number;
  worstCaseMicroDollars: number;
  inputMicroDollars: number;
  outputMicroDollars: number;
  cachedInputMicroDollars?: number;
  cacheWriteMicroDollars?: number;
  overAt?: { journal: string; sequence: number };
}

export const noCall: Call = {
  phase: 'none',
  callId: '',
  runId: '',
  model: '',
  pool: '',
  backend: '',
  epoch: 0,
  inputId: '',
  declaredAtMs: 0,
  worstCaseMicroDollars: 0,
  inputMicroDollars: 0,
  outputMicroDollars: 0,
};

/** What a worker came back with. */
export type Answer =
  | { answered: true; reply: Reply }
  | {
      answered: false;
      kind: 'permanent' | 'retryable';
      cause?: FailureCause;
      message: string;
      attempts: number;
      requestId?: string;
      /** What replies took that could not be used. */
      inputTokens?: number;
      outputTokens?: number;
      durationMs?: number;
    };

/** What is looked up before a call is decided on. */
export interface CallFacts {
  backend: string;
  /** Set while the pool rests: nothing is asked of it until then. */
  breaker?: { sinceMs: number; untilMs: number; why: string };
  /** Set where whoever took the call cannot ask the model: whether another live worker can. */
  askable?: 'elsewhere' | 'nowhere';
}

/** How often a call is taken over from a worker that ended; after that the call is given up, not the worker. */
export const mostTakeOvers = 3;
/** A call waits for a pool's next probe no longer than this; its run may have another model to ask. */
const mostRestMs = 20_000;
const firstPutBackMs = 100;
/** Longer where more time is left, so that a call is late before it was put back so often as to look endless. */
const leastLongPutBackMs = 5_000;

export function evolve(call: Call, stored: Stored): Call {
  const type = shortType(stored.event.type) as EventOf<'call'>;
  const { data } = stored.event;
  switch (type) {
    case 'call.intended': {
      const { given, ...intended } = data as DataOf<'call.intended'>;
      return { ...call, ...intended, phase: 'intended', inputId: given.inputId, declaredAtMs: given.atMs };
    }
    case 'call.taken_over': {
      const taken = data as DataOf<'call.taken_over'>;
      return { ...call, claim: taken.claim, epoch: taken.epoch, declaredAtMs: taken.given.atMs };
    }
    case 'call.completed':
    case 'call.failed':
    case 'call.cancelled': {
      const { callId, runId } = data as DataOf<'call.cancelled'>;
      const command = (data as DataOf<'call.cancelled'>).given.command as
        | Envelope<{ role?: AgentRole }>
        | undefined;
      const role = call.role ?? command?.data.role;
      return {
        ...call,
        callId,
        runId,
        ...(role ? { role } : {}),
        phase: 'over',
        overAt: { journal: stored.journal, sequence: stored.sequence },
      };
    }
  }
}

/**
 * Hold, answer, settle. An ask declares the call before a model is paid for it; its result is written once. A call that
 * was taken over may have been paid more than once: each earlier try counts at its worst case.
 */
export function decide(call: Call, input: Input): Decision {
  switch (input.type) {
    case 'call.ask':
      return call.phase === 'none' ? asked(input) : { do: 'nothing' };
    case 'call.cancel': {
      if (call.phase === 'over') return { do: 'nothing' };
      const { callId, runId, reason } = input.event!.data as DataOf<'call.cancel'>;
      const costMicroDollars = call.epoch * call.worstCaseMicroDollars;
      return { do: 'append', type: 'call.cancelled', data: { callId, runId, reason, costMicroDollars } };
    }
    case 'outcome':
      return call.phase === 'intended' ? settled(call, input.outcome as Answer) : { do: 'nothing' };
    default:
      return { do: 'nothing' };
  }
}

function asked(input: Input): Decision {
  const ask = input.event!.data as RememberedAsk;
  const { backend, breaker, askable } = input.facts as CallFacts;
  const refused = (cause: FailureCause, message: string): Decision => {
    const { callId, runId, model } = ask;
    const common = { callId, runId, backend, model, attempts: 0, costMicroDollars: 0 };
    return { do: 'append', type: 'call.failed', data: { ...common, kind: 'retryable', cause, message } };
  };
  const lateMs = input.atMs - ask.deadlineAtMs;
  if (lateMs >= 0) {
    // Its run has gone on to another choice, or is about to: a model would be paid for nothing.
    return refused(
      'late',
      `its time was over ${lateMs} ms before a worker of the pool ${ask.pool} took it: start more workers, and see that the clocks agree`,
    );
  }
  if (askable === 'elsewhere') {
    // Whoever pulls first takes it, and that may be the same worker again while the other has no free slot.
    const longestMs = Math.max(leastLongPutBackMs, -lateMs / 10);
    const delayMs = Math.min(firstPutBackMs * 2 ** (input.claim.deliveries - 1), longestMs);
    return { do: 'later', delayMs: Math.round(delayMs) };
  }
  if (askable === 'nowhere') {
    return refused(
      'refused',
      `no live worker of the pool ${ask.pool} can ask the model ${ask.model}: the logs of the inference processes say why, such as a variable that is not set where they run`,
    );
  }
  if (breaker) {
    const restMs = breaker.untilMs - input.atMs;
    if (restMs > mostRestMs || breaker.untilMs >= ask.deadlineAtMs)
      return refused('breaker', `the pool ${ask.pool} rests: ${breaker.why}`);
    return { do: 'later', delayMs: Math.max(restMs, 0) + 500 };
  }
  return {
    do: 'append',
    type: 'call.intended',
    data: {
      callId: ask.callId,
      runId: ask.runId,
      role: ask.role,
      model: ask.model,
      pool: ask.pool,
      backend,
      worstCaseMicroDollars: worstPrice(Math.ceil(ask.characters / 3), ask.maxTokens, ask),
      inputMicroDollars: ask.inputMicroDollars,
      outputMicroDollars: ask.outputMicroDollars,
      ...(ask.cachedInputMicroDollars === undefined
        ? {}
        : { cachedInputMicroDollars: ask.cachedInputMicroDollars }),
      ...(ask.cacheWriteMicroDollars === undefined
        ? {}
        : { cacheWriteMicroDollars: ask.cacheWriteMicroDollars }),
      claim: input.claim,
      epoch: 1,
    },
  };
}

function settled(call: Call, answer: Answer): Decision {
  const wasteMicroDollars = (call.epoch - 1) * call.worstCaseMicroDollars;
  const common = { callId: call.callId, runId: call.runId, backend: call.backend, model: call.model };
  if (answer.answered) {
    const { reply } = answer;
    const costMicroDollars = price(reply, call) + wasteMicroDollars;
    return { do: 'append', type: 'call.completed', data: { ...common, reply, costMicroDollars } };
  }
  const { answered: _, ...failure } = answer;
  const unusable = price(
    { inputTokens: answer.inputTokens ?? 0, outputTokens: answer.outputTokens ?? 0 },
    call,
  );
  const data = { ...common, ...failure, costMicroDollars: unusable + wasteMicroDollars };
  return { do: 'append', type: 'call.failed', data };
}

/** Per million tokens; what goes by way of the provider's cache costs as any other where it has no price of its own. */
interface Prices {
  inputMicroDollars: number;
  outputMicroDollars: number;
  cachedInputMicroDollars?: number;
  cacheWriteMicroDollars?: number;
}

/** What a reply cost, in whole micro-dollars, rounded up. */
export function price(
  tokens: Pick<Reply, 'inputTokens' | 'outputTokens' | 'cachedInputTokens' | 'cacheWriteTokens'>,
  prices: Prices,
): number {
  const { inputMicroDollars: read, cachedInputMicroDollars: cached, cacheWriteMicroDollars: kept } = prices;
  const { inputTokens, cachedInputTokens = 0, cacheWriteTokens = 0 } = tokens;
  const otherTokens = Math.max(0, inputTokens - cachedInputTokens - cacheWriteTokens);
  return Math.ceil(
    (otherTokens * read +
      cachedInputTokens * (cached ?? read) +
      cacheWriteTokens * (kept ?? read) +
      tokens.outputTokens * prices.outputMicroDollars) /
      1_000_000,
  );
}

/** The most that a call may cost: all that is read at the dearest price of reading. */
function worstPrice(inputTokens: number, outputTokens: number, prices: Prices): number {
  const dearest = Math.max(prices.inputMicroDollars, prices.cacheWriteMicroDollars ?? 0);
  return price({ inputTokens, outputTokens }, { ...prices, inputMicroDollars: dearest });
}

/** An ask without its prompt: that stands in the run's journal already, and is not kept a second time. */
export type RememberedAsk = Omit<Ask, 'messages' | 'tools' | 'schema'> & {
  messages: [];
  tools: [];
  characters: number;
};

export function remember(command: Envelope): Envelope {
  if (shortType(command.type) !== 'call.ask') return command;
  const { schema, ...ask } = command.data as Ask;
  const parts = [ask.messages, ask.tools, ...(schema ? [schema] : [])];
  const characters = parts.reduce((sum, part) => sum + JSON.stringify(part).length, 0);
  return { ...command, data: { ...ask, messages: [], tools: [], characters } satisfies RememberedAsk };
}

/** The answer goes home to the run that asked, by reference. */
export function outbox(call: Call): Owed[] {
  if (call.phase !== 'over' || !call.overAt || !call.role) return [];
  return [
    {
      key: 'home',
      to: { inbox: 'role', role: call.role },
      type: 'call.answered',
      data: { ...call.overAt, runId: call.runId },
    },
  ];
}

/** A model call may be repeated: it is pure, but billed. */
export function openIntent(call: Call): OpenIntent | undefined {
  if (call.phase !== 'intended' || !call.claim) return undefined;
  const { inputId, claim, epoch, declaredAtMs } = call;
  return { inputId, key: 'answer', claim, epoch, effect: 'idempotent', declaredAtMs };
}

/** Whoever takes a call over asks again; a call on which worker after worker ended is given up instead. */
export function takeOver(call: Call, input: Input): Decision {
  const { callId, runId, backend, model, epoch } = call;
  if (epoch > mostTakeOvers) {
    return {
      do: 'append',
      type: 'call.failed',
      data: {
        callId,
        runId,
        backend,
        model,
        kind: 'retryable',
        cause: 'crash',
        message: `${epoch} workers in a row ended while they were on this call, the last of them ${call.claim!.process}: it is given up; their logs say how they ended`,
        attempts: epoch,
        costMicroDollars: epoch * call.worstCaseMicroDollars,
      },
    };
  }
  return {
    do: 'append',
    type: 'call.taken_over',
    data: { callId, claim: input.claim, epoch: epoch + 1, from: call.claim!.process },
  };
}
