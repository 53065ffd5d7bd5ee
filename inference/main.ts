import { membershipOf } from '../bus/membership.ts';
import { join, serve } from '../bus/process.ts';
import { processSettings } from '../config/membership.ts';
import { modelDefinitions } from '../config/model-options.ts';
import type { Ask } from '../schemas/call.ts';
import type { Service } from '../schemas/service.ts';
import { answer } from './act.ts';
import type { Backend } from './backend.ts';
import { createBackend } from './backends.ts';
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
} from './call.ts';

const settings = processSettings(process.argv, process.env);
const { config } = settings;
const membership = await membershipOf(settings, 'inference');
const joined = await join(membership, 'inference', false);

const definitions = new Map(modelDefinitions(config.models).map((model) => [model.name, model]));
const backends = new Map<string, Backend>();
/** One backend a model and process. */
function backendOf(name: string): Backend {
  const definition = definitions.get(name);
  if (!definition) throw new Error(`the model "${name}" is not configured in this process`);
  const backend = backends.get(name) ?? createBackend(definition, process.env);
  backends.set(name, backend);
  return backend;
}

/** A model that this process cannot ask, for want of a key for instance, is none that it serves. */
const usable = [...definitions.values()].filter((model) => {
  try {
    backendOf(model.name);
    return true;
  } catch (error) {
    joined.log.warn({ model: model.name, error }, 'a model cannot be asked from here');
    return false;
  }
});
const pools = [...new Set(usable.map((model) => model.pool))];

const service: Service<Call> = {
  role: 'inference',
  entity: 'call',
  initial: noCall,
  evolve,
  decide,
  outbox,
  openIntent,
  takeOver,
  remember,
  isOver: (call) => call.phase === 'over',
  async gather(_call, input) {
    if (input.type !== 'call.ask') return undefined;
    return { backend: definitions.get((input.event!.data as Ask).model)?.backend ?? 'unknown' };
  },
  async act(_call, whole, context): Promise<Answer> {
    const ask = whole!.data as Ask;
    const definition = definitions.get(ask.model);
    try {
      const result = await answer({
        definition: definition!,
        backend: backendOf(ask.model),
        request: {
          model: ask.model,
          messages: ask.messages,
          tools: ask.tools,
          maxTokens: ask.maxTokens,
          role: ask.role,
          ...temperature(ask),
        },
        budgetMs: Math.max(1000, ask.deadlineAtMs - Date.now()),
        signal: context.signal,
        onText: (text) =>
          context.live('text', { runId: ask.runId, callId: ask.callId, model: ask.model, text }),
        onRetry: (retry) =>
          context.live('retry', { runId: ask.runId, callId: ask.callId, model: ask.model, ...retry }),
      });
      if (result.outcome === 'failed') {
        const kind = result.kind === 'permanent' ? 'permanent' : 'retryable';
        return { answered: false, kind, message: result.message, attempts: result.attempts };
      }
      const { reply } = result;
      return {
        answered: true,
        reply: {
          content: reply.content,
          toolCalls: reply.toolCalls,
          finish: reply.finish,
          inputTokens: reply.usage.inputTokens,
          outputTokens: reply.usage.outputTokens,
          tokensAreEstimated: reply.usage.estimated,
          ...(reply.requestId ? { requestId: reply.requestId } : {}),
          attempts: result.attempts,
          durationMs: result.durationMs,
        },
      };
    } catch (error) {
      return {
        answered: false,
        kind: 'permanent',
        message: error instanceof Error ? error.message : String(error),
        attempts: 0,
      };
    }
  },
};

function temperature(ask: Ask): { temperature?: number } {
  const chosen = config.roles[ask.role].temperature;
  return chosen === undefined ? {} : { temperature: chosen };
}

await serve(membership, joined, {
  service,
  intakes: [
    ...pools.map((pool) => ({ consumer: `pool-${pool}`, slots: config.slots.inference })),
    // What calls a model call off never waits for a free slot of its pool.
    { consumer: 'role-inference', slots: 4 },
  ],
  pools,
  tags: usable.flatMap((model) => [`model:${model.name}`, `backend:${model.backend}`]),
});
