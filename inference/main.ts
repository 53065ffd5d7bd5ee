import { membershipOf } from '../bus/membership.ts';
import { openBreakers, waitingIn } from '../bus/breaker.ts';
import { join, journalOptionsOf, serve } from '../bus/process.ts';
import type { ServedModel } from '../bus/registry.ts';
import { processSettings } from '../config/membership.ts';
import { mayBeAsked } from '../config/mode.ts';
import { modelDefinitions, type ModelDefinition as ConfiguredModel } from '../config/model-options.ts';
import type { Backend, ModelDefinition } from './backend.ts';
import { createBackend } from './backends.ts';
import { openPoolBreakers } from './breaker-pools.ts';
import { openCallLoad } from './call-load.ts';
import { parametersOf } from './call-parameters.ts';
import { callService } from './call-service.ts';
import { capabilitiesOf } from '../schemas/model-backends.ts';

const settings = processSettings(process.argv, process.env);
const { config } = settings;
const membership = await membershipOf(settings, 'inference');
const joined = await join(membership, 'inference', true);

const backends = new Map<string, Backend>();
/** A model that this process cannot ask, for want of a key for instance, is none that it serves. */
const usable: ConfiguredModel[] = [];
for (const model of modelDefinitions(config.models)) if (await isUsable(model)) usable.push(model);

async function isUsable(model: ConfiguredModel): Promise<boolean> {
  // A GGUF file is loaded by a gpu-worker, a process of its own.
  if (model.backend === 'llama') return false;
  if (!mayBeAsked(config, model)) {
    joined.log.info({ model: model.name }, 'a model elsewhere is not asked: the mode is local-only');
    return false;
  }
  try {
    backends.set(model.name, await createBackend(model, process.env));
    return true;
  } catch (error) {
    joined.log.warn({ model: model.name, error }, 'a model cannot be asked from here');
    return false;
  }
}
const pools = [...new Set(usable.map((model) => model.pool))];
const load = openCallLoad();

function servedModel(model: ModelDefinition): ServedModel {
  const { name, pool, backend, contextTokens, maxTokens, tags, timeoutMs } = model;
  const slots = config.slots.inference;
  const tokensPerSecond = load.tokensPerSecond(name, Date.now());
  return {
    name,
    pool,
    backend,
    contextTokens,
    maxTokens,
    capabilities: [...capabilitiesOf(model)],
    tags,
    timeoutMs,
    slots,
    freeSlots: Math.max(0, slots - load.busy(pool)),
    ...(tokensPerSecond === undefined ? {} : { tokensPerSecond }),
  };
}

function backendOf(name: string): Backend {
  const backend = backends.get(name);
  if (!backend) throw new Error(`the model "${name}" is not served by this process`);
  return backend;
}

const breaker = openPoolBreakers({
  process: joined.process,
  models: usable,
  backendOf,
  slots: config.slots.inference,
  load,
  journals: openBreakers(journalOptionsOf(membership, joined), joined.process),
  waiting: (pool) => waitingIn(joined.bus, membership.namespace, pool),
  workers: () => joined.registry.living(),
  log: joined.log,
  now: Date.now,
});
// What a breaker was before this process began is known before its first call.
await breaker.tick();
const ticking = setInterval(() => void breaker.tick(), 1000);

const service = callService({
  definitions: new Map(usable.map((model) => [model.name, model])),
  backendOf,
  async isAskedElsewhere(name, pool) {
    await joined.registry.known();
    const served = joined.registry.living().flatMap((one) => one.models ?? []);
    return served.some((one) => one.name === name && one.pool === pool);
  },
  parametersOf: (role) => parametersOf(config.roles[role]),
  load,
  log: joined.log,
  now: Date.now,
  breaker,
});

await serve(membership, joined, {
  service,
  intakes: [
    ...pools.map((pool) => ({ consumer: `pool-${pool}`, slots: config.slots.inference })),
    // What calls a model call off never waits for a free slot of its pool.
    { consumer: 'role-inference', slots: 4, isQuick: true },
  ],
  pools,
  tags: usable.flatMap((model) => [`model:${model.name}`, `backend:${model.backend}`]),
  models: () => usable.map(servedModel),
  async close() {
    clearInterval(ticking);
    await Promise.all([...backends.values()].map(async (backend) => backend.close?.().catch(() => {})));
  },
});
