import { membershipOf } from '../bus/membership.ts';
import { join, serve } from '../bus/process.ts';
import { modelDefinitions } from '../config/model-options.ts';
import { processSettings } from '../config/membership.ts';
import type { DataOf } from '../schemas/catalogue.ts';
import type { Service } from '../schemas/service.ts';
import { decide, evolve, noRoute, outbox, type Route, type RoutingFacts } from './route.ts';

const settings = processSettings(process.argv, process.env);
const { config } = settings;
const membership = await membershipOf(settings, 'router');
const joined = await join(membership, 'router', true);

const models: RoutingFacts['models'] = Object.fromEntries(
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
      tags: model.tags,
    },
  ]),
);

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
    const preferred = config.roles[work.role].models;
    const longest = config.roles[work.role].maxTokens;
    const livePools = [...new Set(joined.registry.living().flatMap((one) => one.pools))].toSorted();
    const bounded = Object.fromEntries(
      Object.entries(models).map(([name, model]) => [
        name,
        { ...model, maxTokens: Math.min(model.maxTokens, longest ?? model.maxTokens) },
      ]),
    );
    return { models: bounded, preferred, rules: config.routes, livePools } satisfies RoutingFacts;
  },
};

await serve(membership, joined, {
  service,
  intakes: [{ consumer: 'role-router', slots: config.slots.router }],
});
