import type { Ask } from '../schemas/call.ts';
import type { AgentRole } from '../schemas/row.ts';
import type { ActContext, Service } from '../schemas/service.ts';
import { answer } from './act.ts';
import type { Backend, ModelDefinition, ModelRequest } from './backend.ts';
import type { CallBreaker, CallLog } from './call-breaker.ts';
import type { CallLoad } from './call-load.ts';
import type { RoleParameters } from './call-parameters.ts';
import {
  decide,
  evolve,
  noCall,
  openIntent,
  outbox,
  remember,
  takeOver,
  type Answer,
  type Call,
  type CallFacts,
} from './call.ts';

/** What a process must have to serve calls: an inference process for many models, a gpu-worker for its one. */
export interface CallServing {
  /** The models that may be asked here, by name. */
  definitions: ReadonlyMap<string, ModelDefinition>;
  /** The backend of a model; throws where it cannot be asked from here. */
  backendOf(name: string): Backend | Promise<Backend>;
  /** True where another live worker of the pool can ask the model; for who cannot ask each of its pool's. */
  isAskedElsewhere?(model: string, pool: string): Promise<boolean>;
  /** What a role prefers, such as its temperature. */
  parametersOf(role: AgentRole): RoleParameters;
  load: CallLoad;
  log: CallLog;
  /** Milliseconds since 1970 UTC. */
  now(): number;
  breaker?: CallBreaker;
}

/** The service that answers model calls; whoever serves it takes calls from the pools of its models. */
export function callService(serving: CallServing): Service<Call> {
  const { definitions, load, breaker, now } = serving;
  return {
    role: 'inference',
    entity: 'call',
    initial: noCall,
    evolve,
    decide,
    outbox,
    openIntent,
    takeOver(call, input) {
      breaker?.crashed(call, call.claim!.process);
      return takeOver(call, input);
    },
    remember,
    isOver: (call) => call.phase === 'over',
    async gather(_call, input) {
      if (input.type !== 'call.ask') return undefined;
      const { model, pool } = input.event!.data as Ask;
      const rest = breaker?.restOf(pool);
      const backend = definitions.get(model)?.backend;
      const known = rest ? { breaker: rest } : {};
      if (backend !== undefined) return { backend, ...known } satisfies CallFacts;
      const askable = (await serving.isAskedElsewhere?.(model, pool)) ? 'elsewhere' : 'nowhere';
      return { backend: 'unknown', ...known, askable } satisfies CallFacts;
    },
    async act(_call, whole, context): Promise<Answer> {
      const ask = whole!.data as Ask;
      load.began(ask.pool);
      const answered = await asked(serving, ask, context);
      load.ended(
        ask.pool,
        answered.answered
          ? {
              model: ask.model,
              outputTokens: answered.reply.outputTokens,
              durationMs: answered.reply.durationMs,
              atMs: now(),
            }
          : undefined,
      );
      return answered;
    },
  };
}

async function asked(serving: CallServing, ask: Ask, context: ActContext): Promise<Answer> {
  const { breaker, log } = serving;
  const { callId, runId, model, pool } = ask;
  const who = { task: context.taskId, run: runId, call: callId, model };
  try {
    const definition = serving.definitions.get(model);
    if (!definition) {
      const message = `the worker that asked the model ${model} ended, and the one that took its call over cannot ask it: a model that not every worker of the pool ${pool} can ask is better off in a pool of its own`;
      return { answered: false, kind: 'retryable', cause: 'crash', message, attempts: 0 };
    }
    const result = await answer({
      definition,
      backend: await serving.backendOf(model),
      request: requestOf(ask, serving.parametersOf(ask.role)),
      budgetMs: Math.max(1000, ask.deadlineAtMs - serving.now()),
      signal: context.signal,
      onText: (text) => context.live('text', { runId, callId, model, text }),
      onRetry(retry) {
        log.warn({ ...who, ...retry }, 'the model is asked again');
        context.live('retry', { runId, callId, model, ...retry });
      },
      onFailure: (failure) => breaker?.failed(pool, model, failure),
    });
    if (result.outcome === 'failed') {
      const { cause, message, attempts, requestId, usage, durationMs } = result;
      const kind = result.kind === 'permanent' ? 'permanent' : 'retryable';
      return {
        answered: false,
        kind,
        ...(cause ? { cause } : {}),
        message,
        attempts,
        ...(requestId ? { requestId } : {}),
        ...usage,
        durationMs,
      };
    }
    breaker?.succeeded(pool, model);
    const { content, toolCalls, finish, usage, requestId } = result.reply;
    return {
      answered: true,
      reply: {
        content,
        toolCalls,
        finish,
        inputTokens: usage.inputTokens,
        outputTokens: usage.outputTokens,
        ...(usage.cachedInputTokens === undefined ? {} : { cachedInputTokens: usage.cachedInputTokens }),
        ...(usage.cacheWriteTokens === undefined ? {} : { cacheWriteTokens: usage.cacheWriteTokens }),
        tokensAreEstimated: usage.estimated,
        ...(requestId ? { requestId } : {}),
        attempts: result.attempts,
        durationMs: result.durationMs,
      },
    };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { answered: false, kind: 'permanent', cause: 'request', message, attempts: 0 };
  }
}

function requestOf(ask: Ask, parameters: RoleParameters): ModelRequest {
  const { model, messages, tools, maxTokens, role, runId, schema } = ask;
  return { model, messages, tools, maxTokens, role, runId, ...(schema ? { schema } : {}), ...parameters };
}
