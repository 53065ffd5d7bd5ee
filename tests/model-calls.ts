import { v4 } from 'uuid';
import type { Bus } from '../bus/connect.ts';
import { send } from '../bus/relay.ts';
import type { Ask } from '../schemas/call.ts';
import type { DataOf } from '../schemas/catalogue.ts';
import { message, shortType } from '../schemas/envelope.ts';
import { poolInbox, roleInbox } from '../schemas/subject.ts';
import { eventually } from './yard-parts.ts';
import { namespace, type Yard } from './yard.ts';

/** One model call as the record tells it. */
export interface CallRecord {
  callId: string;
  /** Who took it, in order; more than one where a worker ended on it. */
  takenBy: string[];
  /** Workers that it was taken over from. */
  lostBy: string[];
  /** Concluding events; more than one would be a defect. */
  ends: ('call.completed' | 'call.failed' | 'call.cancelled')[];
  completed?: DataOf<'call.completed'>;
  worstCaseMicroDollars: number;
}

/** Someone who asks models as a coder does, by the contract, all for one task. */
export interface Caller {
  taskId: string;
  /** Sends a question to a pool; resolves when the stream has it. */
  ask(pool: string, more?: Partial<Ask>): Promise<string>;
  cancel(callId: string): Promise<void>;
  /** The record of these calls as it is now, in their order. */
  read(callIds: string[]): Promise<CallRecord[]>;
  /** Waits until all of them fit. */
  until(
    callIds: string[],
    fits: (call: CallRecord) => boolean,
    what: string,
    limitMs?: number,
  ): Promise<CallRecord[]>;
}

/** A caller with a connection of the coder's, which may do what a coder may. */
export async function openCaller(yard: Yard, model: (pool: string) => string): Promise<Caller> {
  const bus: Bus = await yard.connectAs('coder');
  const taskId = v4();
  const runId = v4();
  const lineage = { taskId, correlationId: taskId, causationId: v4(), hop: 0, cyclesLeft: 0 };
  const caller: Caller = {
    taskId,
    async ask(pool, more = {}) {
      const callId = v4();
      const data: Ask = {
        callId,
        runId: v4(),
        role: 'coder',
        model: model(pool),
        pool,
        messages: [{ role: 'user', content: `Call ${callId}` }],
        tools: [],
        maxTokens: 64,
        deadlineAtMs: Date.now() + 600_000,
        inputMicroDollars: 1_000_000,
        outputMicroDollars: 2_000_000,
        ...more,
      };
      const event = message('call.ask', v4(), 'coder', `pool ${pool}`, lineage, Date.now(), data);
      await send(bus, poolInbox(namespace, pool, taskId), event, event.id);
      return callId;
    },
    async cancel(callId) {
      const data = { callId, runId, role: 'coder', reason: 'no longer needed' } as const;
      const event = message('call.cancel', v4(), 'coder', 'inference', lineage, Date.now(), data);
      await send(bus, roleInbox(namespace, 'inference', taskId), event, event.id);
    },
    async read(callIds) {
      const calls = new Map<string, CallRecord>(
        callIds.map((callId) => [
          callId,
          { callId, takenBy: [], lostBy: [], ends: [], worstCaseMicroDollars: 0 },
        ]),
      );
      for (const { event } of await yard.client.read(taskId)) {
        const call = calls.get((event.data as { callId: string }).callId);
        if (call) add(call, shortType(event.type), event.data);
      }
      return [...calls.values()];
    },
    async until(callIds, fits, what, limitMs = 60_000) {
      return eventually(
        async () => {
          const calls = await caller.read(callIds);
          return calls.every(fits) ? calls : undefined;
        },
        what,
        limitMs,
        50,
      );
    },
  };
  return caller;
}

function add(call: CallRecord, type: string, data: unknown): void {
  switch (type) {
    case 'call.intended': {
      const { claim, worstCaseMicroDollars } = data as DataOf<'call.intended'>;
      call.takenBy.push(claim.process);
      call.worstCaseMicroDollars = worstCaseMicroDollars;
      return;
    }
    case 'call.taken_over': {
      const { claim, from } = data as DataOf<'call.taken_over'>;
      call.takenBy.push(claim.process);
      call.lostBy.push(from);
      return;
    }
    case 'call.completed':
      call.completed = data as DataOf<'call.completed'>;
      call.ends.push(type);
      return;
    case 'call.failed':
    case 'call.cancelled':
      call.ends.push(type);
  }
}
