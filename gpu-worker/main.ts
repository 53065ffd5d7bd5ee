import { membershipOf } from '../bus/membership.ts';
import { openBreakers, waitingIn } from '../bus/breaker.ts';
import { join, journalOptionsOf, serve } from '../bus/process.ts';
import type { ServedModel } from '../bus/registry.ts';
import { ConfigurationError } from '../config/configuration-error.ts';
import { processSettings } from '../config/membership.ts';
import { modelDefinitions } from '../config/model-options.ts';
import { BackendError } from '../inference/backend.ts';
import { openPoolBreakers } from '../inference/breaker-pools.ts';
import { openCallLoad } from '../inference/call-load.ts';
import { parametersOf } from '../inference/call-parameters.ts';
import { callService } from '../inference/call-service.ts';
import { isLlamaInstalled, notInstalled } from './check.ts';
import type { Engine } from './engine.ts';
import { workerSettings, type WorkerSettings } from './settings.ts';
import { pin } from './threads.ts';

// A process that holds one model and answers the calls of its pool. llama.cpp is native code: should it break down, it
// takes this process along and nobody else.

/** Nothing that starting it again would mend. */
const refusedExitCode = 2;

function refuse(error: unknown): never {
  if (!(error instanceof ConfigurationError) && !(error instanceof BackendError)) throw error;
  process.stderr.write(`gpu-worker: ${error.message}\n`);
  process.exit(refusedExitCode);
}

try {
  await run();
} catch (error) {
  refuse(error);
}

async function run(): Promise<void> {
  const settings = processSettings(process.argv, process.env);
  const { config } = settings;
  const worker = workerSettings(process.argv, modelDefinitions(config.models));
  const { definition, share } = worker;
  const membership = await membershipOf(settings, 'inference');
  const joined = await join(membership, 'inference', true);
  const { log } = joined;
  await joined.registry.known();
  refuseOtherModelOfPool();
  if (!isLlamaInstalled()) throw notInstalled();
  bind(worker, (line) => log.info(line, 'which processors it computes on'));

  const startedAtMs = Date.now();
  const { openEngine } = await import('./engine.ts');
  const engine = await openEngine({
    definition,
    workers: share.workers,
    say: (level, line) => (level === 'warn' ? log.warn({}, line) : log.info({}, line)),
  });
  const { slots, quantisation, card } = engine;
  log.info(
    { model: definition.name, quantisation, slots, tookMs: Date.now() - startedAtMs },
    'the model is loaded',
  );

  const load = openCallLoad();
  const { bus, registry } = joined;
  const breaker = openPoolBreakers({
    process: joined.process,
    models: [definition],
    backendOf: () => engine,
    slots,
    load,
    journals: openBreakers(journalOptionsOf(membership, joined), joined.process),
    waiting: (pool) => waitingIn(bus, membership.namespace, pool),
    workers: () => registry.living(),
    log,
    now: Date.now,
  });
  await breaker.tick();
  const ticking = setInterval(() => void breaker.tick(), 1000);
  // Another may have come while this one was loading.
  refuseOtherModelOfPool();
  await serve(membership, joined, {
    service: callService({
      definitions: new Map([[definition.name, definition]]),
      backendOf: () => engine,
      parametersOf: (role) => parametersOf(config.roles[role]),
      load,
      log,
      now: Date.now,
      breaker,
    }),
    intakes: [
      { consumer: `pool-${definition.pool}`, slots },
      // What calls a model call off never waits for a free slot of its pool.
      { consumer: 'role-inference', slots: 4, isQuick: true },
    ],
    pools: [definition.pool],
    tags: [
      `model:${definition.name}`,
      'backend:llama',
      `quantisation:${quantisation}`,
      ...(card
        ? [`gpu-layers:${card.layers}/${card.ofLayers}`, ...card.names.map((name) => `card:${name}`)]
        : []),
      ...engine.capabilities.map((capability) => `capability:${capability}`),
    ],
    models: () => [served(engine)],
    async close() {
      clearInterval(ticking);
      await engine.close();
    },
  });

  function served(of: Engine): ServedModel {
    const { name, pool, contextTokens, maxTokens, tags, timeoutMs } = definition;
    const {
      tokensPerSecond: outputTokensPerSecond,
      promptTokens: _,
      evaluatedPromptTokens: __,
      outputTokens: ___,
      ...figures
    } = of.figures();
    const tokensPerSecond = load.tokensPerSecond(name, Date.now());
    return {
      name,
      pool,
      backend: 'llama',
      quantisation,
      contextTokens,
      maxTokens,
      capabilities: [...of.capabilities],
      tags,
      timeoutMs,
      ...figures,
      outputTokensPerSecond,
      ...(tokensPerSecond === undefined ? {} : { tokensPerSecond }),
    };
  }

  /** A call goes to any worker of its pool; with another model there it would be refused half of the time. */
  function refuseOtherModelOfPool(): void {
    const other = joined.registry
      .living()
      .flatMap((one) => one.models ?? [])
      .find((one) => one.pool === definition.pool && one.name !== definition.name);
    if (other)
      throw new ConfigurationError([
        `a worker of this mesh serves ${other.name} in the pool ${definition.pool}, and a pool of gpu-workers has one model; give this one another with --pool`,
      ]);
  }
}

/** Binds this process to processors: as told, or by the machine where threads are left to it too. */
function bind({ cpus, definition, share }: WorkerSettings, say: (line: object) => void): void {
  if (cpus === 'all' || (cpus === undefined && definition.threads !== undefined)) return;
  say(pin(cpus ?? share));
}
