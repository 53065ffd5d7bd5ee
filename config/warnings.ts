import { isLocal } from '../schemas/model-backends.ts';
import type { Config } from './config.ts';
import { mayBeAsked } from './mode.ts';
import { modelDefinitions, type ModelDefinition } from './model-options.ts';
import type { Problem } from './problems.ts';
import type { Environment } from './state.ts';

/** What is allowed, but may not be what is meant. `config` is without problems. */
export function configWarnings(config: Config, environment: Environment): Problem[] {
  const definitions = modelDefinitions(config.models, environment);
  return [
    ...definitions.flatMap((model) => modelWarnings(config, model, environment)),
    ...poolWarnings(config, definitions),
    ...tierWarnings(definitions),
    ...roleWarnings(config),
  ];
}

function modelWarnings(config: Config, model: ModelDefinition, environment: Environment): Problem[] {
  const path = ['models', model.name];
  if (!mayBeAsked(config, model))
    return [{ path, what: `it is not asked: it is not on this machine, and the mode is \`${config.mode}\`` }];
  const warnings: Problem[] = [];
  if (!isLocal(model) && model.prices === undefined)
    warnings.push({
      path,
      what: 'it has no prices, so that its calls count as free: `limits.budgetMicroDollars` does not bound them; give `prices` with where they are published and the day',
    });
  const { apiKeyVariable: variable } = model;
  if (variable !== undefined && !environment[variable])
    warnings.push({
      path,
      what: `the variable ${variable}, which is to hold its key, is not set here; inference processes that lack it do not serve this model`,
    });
  return warnings;
}

function poolWarnings({ processes }: Config, definitions: ModelDefinition[]): Problem[] {
  const isServed = (model: ModelDefinition) =>
    model.backend === 'llama' ? (model.workers ?? 1) > 0 : processes.inference > 0;
  const pools = [...new Set(definitions.map((model) => model.pool))];
  return pools.flatMap((pool) => {
    const members = definitions.filter((model) => model.pool === pool);
    if (members.some(isServed)) return [];
    const [first] = members;
    const [why, role] =
      first!.backend === 'llama'
        ? ['its models have `workers: 0`', 'gpu-worker']
        : ['`processes.inference` is 0', 'inference'];
    return [
      {
        path: ['models', first!.name, 'pool'],
        what: `nobody serves the pool ${JSON.stringify(pool)}: ${why}, so that work waits until \`./switchyard start ${role}\``,
      },
    ];
  });
}

const tiers = ['small', 'medium', 'large'] as const;

/** A smaller model that costs more than a larger one is mostly an exchange of the two, or of their prices. */
function tierWarnings(definitions: ModelDefinition[]): Problem[] {
  return definitions.flatMap((model) => {
    const dearer = definitions.find(
      (other) =>
        model.tier !== undefined &&
        other.tier !== undefined &&
        tiers.indexOf(model.tier) < tiers.indexOf(other.tier) &&
        other.prices !== undefined &&
        (model.prices?.outputMicroDollars ?? 0) > other.prices.outputMicroDollars,
    );
    if (!dearer) return [];
    return [
      {
        path: ['models', model.name, 'tier'],
        what: `it is ${model.tier}, yet costs more than ${dearer.name}, which is ${dearer.tier}; are tiers or prices exchanged?`,
      },
    ];
  });
}

function roleWarnings({ models, roles }: Config): Problem[] {
  return Object.entries(roles).flatMap(([role, { models: asked, maxTokens, temperature, topP }]) => {
    const warnings: Problem[] = [];
    if (
      maxTokens !== undefined &&
      asked.length > 0 &&
      asked.every((name) => models[name]!.maxTokens < maxTokens)
    )
      warnings.push({
        path: ['roles', role, 'maxTokens'],
        what: 'it is more than any of its models has as `maxTokens`, so that those hold',
      });
    if (temperature !== undefined && topP !== undefined)
      warnings.push({
        path: ['roles', role, 'topP'],
        what: 'some providers refuse `topP` beside `temperature`; give one of the two',
      });
    return warnings;
  });
}
