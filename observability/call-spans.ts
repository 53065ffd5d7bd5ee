import type { DataOf, EventOf } from '../schemas/catalogue.ts';
import type { Envelope } from '../schemas/envelope.ts';
import type { SpanAttributes } from './finished-span.ts';
import { known, spanIdOf } from './open-spans.ts';
import type { TaskSpans } from './spans.ts';
import type { RecordedEvent } from './task-view.ts';
import { keys, modelSpanName, operations, taxonomy } from './taxonomy.ts';

type Common = Record<string, string | number>;
type Holder = { process: string; deliveries: number };

interface CallSoFar {
  epoch: number;
  holder?: Holder | undefined;
  intended?: DataOf<'call.intended'>;
}

export interface CallSpans {
  /** The span that the event's own hangs below. `delivery`: that of the question. */
  take(recorded: RecordedEvent, type: EventOf<'call'>, common: Common, delivery: string | undefined): string;
  holder(event: Envelope): Holder | undefined;
  /** What the task's calls came to so far. */
  spent(): SpanAttributes;
}

/** Spans of model calls. */
export function openCallSpans(task: TaskSpans): CallSpans {
  const { spans, taskId } = task;
  const calls = new Map<string, CallSoFar>();
  const spent = { calls: 0, inputTokens: 0, outputTokens: 0, cost: 0 };

  const spanOf = (callId: string, epoch: number) => spanIdOf('call', taskId, callId, epoch);

  function take(
    { event, atMs }: RecordedEvent,
    type: EventOf<'call'>,
    common: Common,
    delivery: string | undefined,
  ): string {
    const { callId } = event.data as { callId: string };
    const key = `call ${callId}`;
    const call = calls.get(callId) ?? { epoch: 1 };
    calls.set(callId, call);
    switch (type) {
      case 'call.intended': {
        const intended = event.data as DataOf<'call.intended'>;
        call.intended = intended;
        call.epoch = intended.epoch;
        call.holder = intended.claim;
        begin(callId, call, event, intended, common, delivery);
        break;
      }
      case 'call.taken_over': {
        const { from, claim, epoch } = event.data as DataOf<'call.taken_over'>;
        const broken = spanOf(callId, call.epoch);
        const why = `${from} is gone; ${claim.process} asks again`;
        spans.end(key, atMs, { [keys.errorType]: 'crash' }, why);
        call.epoch = epoch;
        call.holder = claim;
        if (call.intended) {
          const again = { ...call.intended, given: (event.data as DataOf<'call.taken_over'>).given };
          begin(callId, call, event, again, common, delivery, { from, broken });
        }
        break;
      }
      case 'call.completed': {
        const { reply, costMicroDollars, model } = event.data as DataOf<'call.completed'>;
        const { inputTokens, outputTokens, tokensAreEstimated, finish, attempts, requestId } = reply;
        add(inputTokens, outputTokens, costMicroDollars);
        begin(callId, call, event, event.data as DataOf<'call.completed'>, common, delivery);
        delete call.holder;
        spans.end(
          key,
          atMs,
          known({
            [keys.responseModel]: model,
            [keys.responseId]: requestId,
            [keys.gatewayRequest]: requestId,
            [keys.finishReasons]: [finish],
            [keys.inputTokens]: inputTokens,
            [keys.outputTokens]: outputTokens,
            [keys.tokensAreEstimated]: tokensAreEstimated,
            [keys.cost]: costMicroDollars,
            [keys.attempts]: attempts,
          }),
        );
        break;
      }
      case 'call.failed': {
        const failed = event.data as DataOf<'call.failed'>;
        const { cause, kind, message, attempts, requestId, costMicroDollars } = failed;
        add(failed.inputTokens ?? 0, failed.outputTokens ?? 0, costMicroDollars);
        begin(callId, call, event, failed, common, delivery);
        delete call.holder;
        spans.end(
          key,
          atMs,
          known({
            [keys.errorType]: cause ?? kind,
            [keys.gatewayRequest]: requestId,
            [keys.attempts]: attempts,
            [keys.inputTokens]: failed.inputTokens,
            [keys.outputTokens]: failed.outputTokens,
            [keys.cost]: costMicroDollars,
          }),
          message,
        );
        break;
      }
      case 'call.cancelled': {
        const { reason, costMicroDollars } = event.data as DataOf<'call.cancelled'>;
        add(0, 0, costMicroDollars);
        begin(callId, call, event, event.data as DataOf<'call.cancelled'>, common, delivery);
        delete call.holder;
        spans.end(key, atMs, { [keys.errorType]: 'cancelled', [keys.cost]: costMicroDollars }, reason);
      }
    }
    return spanOf(callId, call.epoch);
  }

  function add(inputTokens: number, outputTokens: number, cost: number): void {
    spent.calls += 1;
    spent.inputTokens += inputTokens;
    spent.outputTokens += outputTokens;
    spent.cost += cost;
  }

  /** Also of a call that was over before anybody asked: its pool rested, or its time had passed. */
  function begin(
    callId: string,
    call: CallSoFar,
    event: Envelope,
    data: Partial<DataOf<'call.intended' | 'call.completed' | 'call.failed' | 'call.cancelled'>>,
    common: Common,
    delivery: string | undefined,
    resumed?: { from: string; broken: string },
  ): void {
    const key = `call ${callId}`;
    if (spans.has(key)) return;
    const {
      given,
      runId,
      model = '',
      backend,
      pool,
      role,
      worstCaseMicroDollars,
    } = data as Partial<DataOf<'call.intended'>>;
    spans.begin(key, {
      id: spanOf(callId, call.epoch),
      parent: runId === undefined ? undefined : task.runSpan(runId),
      name: modelSpanName(model),
      kind: taxonomy.model.kind,
      startMs: given?.atMs ?? 0,
      role: event.sender ?? '',
      process: given?.process ?? '',
      attributes: known({
        ...common,
        [keys.run]: runId,
        [keys.operation]: operations.chat,
        [keys.provider]: backend,
        [keys.model]: model,
        [keys.conversation]: runId,
        [keys.agent]: role,
        [keys.callId]: callId,
        [keys.pool]: pool,
        [keys.epoch]: call.epoch,
        [keys.worstCaseCost]: worstCaseMicroDollars,
        [keys.isResumed]: resumed ? true : undefined,
        [keys.resumedFrom]: resumed?.from,
      }),
      links: [
        ...(delivery === undefined
          ? []
          : [{ spanId: delivery, attributes: { [keys.why]: 'it was asked on this delivery' } }]),
        ...(resumed
          ? [{ spanId: resumed.broken, attributes: { [keys.why]: 'it goes on where this broke off' } }]
          : []),
      ],
    });
  }

  return {
    take,
    holder: ({ data }) => calls.get((data as { callId?: string }).callId ?? '')?.holder,
    spent: () => ({
      [keys.calls]: spent.calls,
      [keys.inputTokens]: spent.inputTokens,
      [keys.outputTokens]: spent.outputTokens,
      [keys.cost]: spent.cost,
    }),
  };
}
