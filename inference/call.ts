import type { Ask, Reply } from '../schemas/call.ts';
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
  backend: string;
  claim?: Claim;
  epoch: number;
  inputId: string;
  declaredAtMs: number;
  worstCaseMicroDollars: number;
  inputMicroDollars: number;
  outputMicroDollars: number;
  overAt?: { journal: string; sequence: number };
}

export const noCall: Call = {
  phase: 'none',
  callId: '',
  runId: '',
  model: '',
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
  | { answered: false; kind: 'permanent' | 'retryable'; message: string; attempts: number };

export function evolve(call: Call, stored: Stored): Call {
  const type = shortType(stored.event.type) as EventOf<'call'>;
  const { data } = stored.event;
  switch (type) {
    case 'call.intended': {
      const { given, pool: _, ...intended } = data as DataOf<'call.intended'>;
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
  const { backend } = input.facts as { backend: string };
  const lateMs = input.atMs - ask.deadlineAtMs;
  if (lateMs >= 0) {
    // Its run has gone on to another choice, or is about to: a model would be paid for nothing.
    const { callId, runId, model } = ask;
    const message = `its time was over ${lateMs} ms before a worker of the pool ${ask.pool} took it: start more workers, and see that the clocks agree`;
    const data = {
      callId,
      runId,
      kind: 'retryable',
      message,
      attempts: 0,
      backend,
      model,
      costMicroDollars: 0,
    };
    return { do: 'append', type: 'call.failed', data };
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
      worstCaseMicroDollars: price(Math.ceil(ask.characters / 3), ask.maxTokens, ask),
      inputMicroDollars: ask.inputMicroDollars,
      outputMicroDollars: ask.outputMicroDollars,
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
    const costMicroDollars = price(reply.inputTokens, reply.outputTokens, call) + wasteMicroDollars;
    return { do: 'append', type: 'call.completed', data: { ...common, reply, costMicroDollars } };
  }
  const { kind, message, attempts } = answer;
  return {
    do: 'append',
    type: 'call.failed',
    data: { ...common, kind, message, attempts, costMicroDollars: wasteMicroDollars },
  };
}

/** In whole micro-dollars, rounded up; prices are per million tokens. */
export function price(
  inputTokens: number,
  outputTokens: number,
  prices: { inputMicroDollars: number; outputMicroDollars: number },
): number {
  return Math.ceil(
    (inputTokens * prices.inputMicroDollars + outputTokens * prices.outputMicroDollars) / 1_000_000,
  );
}

/** An ask without its prompt: that stands in the run's journal already, and is not kept a second time. */
export type RememberedAsk = Omit<Ask, 'messages' | 'tools'> & { messages: []; tools: []; characters: number };

export function remember(command: Envelope): Envelope {
  if (shortType(command.type) !== 'call.ask') return command;
  const ask = command.data as Ask;
  const characters = JSON.stringify(ask.messages).length + JSON.stringify(ask.tools).length;
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

export function takeOver(call: Call, input: Input): Decision {
  return {
    do: 'append',
    type: 'call.taken_over',
    data: { callId: call.callId, claim: input.claim, epoch: call.epoch + 1, from: call.claim!.process },
  };
}
