import { openBreakers } from '../bus/breaker.ts';
import { membershipOf } from '../bus/membership.ts';
import { join, journalOptionsOf, serve } from '../bus/process.ts';
import { modelsByDefault } from '../config/mode.ts';
import { modelDefinitions } from '../config/model-options.ts';
import { processSettings } from '../config/membership.ts';
import type { DataOf } from '../schemas/catalogue.ts';
import { capabilitiesOf, isLocal } from '../schemas/model-backends.ts';
import type { Service } from '../schemas/service.ts';
import { loadOf, preferredOf, withAnnounced } from './announced.ts';
import {
  decide,
  evolve,
  noRoute,
  outbox,
  type RoutableModel,
  type Route,
  type RoutingFacts,
} from './route.ts';

const settings = processSettings(process.argv, process.env);
const { config } = settings;
const membership = await membershipOf(settings, 'router');
const joined = await join(membership, 'router', true);
const breakerJournals = openBreakers(journalOptionsOf(membership, joined), joined.process);

const configured: Record<string, RoutableModel> = Object.fromEntries(
  modelDefinitions(config.models).map((model) => [
    model.name,
    {
      model: model.name,
      pool: model.pool,
      backend: model.backend,
      contextTokens: model.contextTokens,
      maxTokens: model.maxTokens,
      timeoutMs: model.timeoutMs,
      inputMicroDollars: model.prices?.inputMicroDollars ?? 0,
      outputMicroDollars: model.prices?.outputMicroDollars ?? 0,
      ...(model.prices?.cachedInputMicroDollars === undefined
        ? {}
        : { cachedInputMicroDollars: model.prices.cachedInputMicroDollars }),
      ...(model.prices?.cacheWriteMicroDollars === undefined
        ? {}
        : { cacheWriteMicroDollars: model.prices.cacheWriteMicroDollars }),
      tags: model.tags,
      capabilities: [...capabilitiesOf(model)],
      isLocal: isLocal(model),
    },
  ]),
);

/** What a role asks that names no model. */
const byDefault = modelsByDefault(config, process.env).map((model) => model.name);

/** The breakers of the pools that are not closed, read from their journals for this very decision. */
async function restingPools(pools: readonly string[]): Promise<NonNullable<RoutingFacts['breakers']>> {
  const read = await Promise.all(
    pools.map(async (pool) => [pool, (await breakerJournals.read(pool)).breaker] as const),
  );
  return Object.fromEntries(
    read.flatMap(([pool, { phase, sinceMs, why }]) =>
      phase === 'closed' ? [] : [[pool, { phase, since: new Date(sinceMs).toISOString(), why }]],
    ),
  );
}

const service: Service<Route> = {
  role: 'router',
  entity: 'route',
  initial: noRoute,
  evolve,
  decide,
  outbox,
  openIntent: () => undefined,
  isOver: (route) => route.phase === 'decided',
  async gather(_route, input) {
    if (input.type !== 'work.route') return undefined;
    const { work } = input.event!.data as DataOf<'work.route'>;
    const role = config.roles[work.role];
    const living = joined.registry.living().filter((one) => one.role === 'inference');
    const livePools = [...new Set(living.flatMap((one) => one.pools))].toSorted();
    const announced = living.flatMap((one) => one.models ?? []);
    const models = withAnnounced(configured, announced);
    const bounded = Object.fromEntries(
      Object.entries(models).map(([name, model]) => [
        name,
        { ...model, maxTokens: Math.min(model.maxTokens, role.maxTokens ?? model.maxTokens) },
      ]),
    );
    return {
      models: bounded,
      preferred: preferredOf(role.models, byDefault, Object.keys(configured), models),
      rules: config.routes,
      livePools,
      mode: config.mode,
      breakers: await restingPools(livePools),
      load: loadOf(announced),
    } satisfies RoutingFacts;
  },
};

await serve(membership, joined, {
  service,
  intakes: [{ consumer: 'role-router', slots: config.slots.router }],
});
