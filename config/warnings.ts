import { existsSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { isLocal } from '../schemas/model-backends.ts';
import type { Role } from '../schemas/row.ts';
import { namesSecret } from '../schemas/secrets.ts';
import type { Config } from './config.ts';
import { mayBeAsked } from './mode.ts';
import { modelDefinitions, type ModelDefinition } from './model-options.ts';
import type { Problem } from './problems.ts';
import type { Environment } from './state.ts';

/** What is allowed, but may not be what is meant. `config` is without problems. */
export function configWarnings(config: Config, environment: Environment): Problem[] {
  const definitions = modelDefinitions(config.models, environment);
  return [
    ...processWarnings(config),
    ...definitions.flatMap((model) => modelWarnings(config, model, environment)),
    ...recordWarnings(definitions),
    ...poolWarnings(config, definitions),
    ...tierWarnings(definitions),
    ...roleWarnings(config),
    ...ruleWarnings(config),
  ];
}

/** Folders of the file itself; one that was named at run time may have been for a day. */
export function repositoryWarnings({ allow }: Config): Problem[] {
  return allow.repositories.flatMap((folder, place) =>
    existsSync(folder) && statSync(folder).isDirectory()
      ? []
      : [
          {
            path: ['allow', 'repositories', place],
            what: `there is no folder ${folder}, so that it allows nothing; create it or correct the path`,
          },
        ],
  );
}

/** What waits while nobody of a role is there. Who asks models is told by the pools. */
const waiting: Record<Exclude<Role, 'inference'>, string> = {
  manager: 'tasks are not even accepted',
  router: 'no work gets a model',
  planner: 'tasks that want a plan',
  coder: 'changes',
  tester: 'tests that a plan wants written',
  reviewer: 'reviews, and with them the end of every task',
};

function processWarnings({ processes }: Config): Problem[] {
  return (Object.keys(waiting) as (keyof typeof waiting)[]).flatMap((role) =>
    processes[role] > 0
      ? []
      : [
          {
            path: ['processes', role],
            what: `it is 0, so that what it is for waits (${waiting[role]}) until \`./switchyard start ${role}\``,
          },
        ],
  );
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
  const { apiKeyVariable: variable, threads } = model;
  if (variable !== undefined && !environment[variable]?.trim())
    warnings.push({
      path,
      what: `the variable ${variable}, which is to hold its key, is not set here; inference processes that lack it do not serve this model`,
    });
  if (variable !== undefined && !namesSecret(variable) && !/(^|_)KEY(_|$)/.test(variable))
    warnings.push({
      path: [...path, 'apiKeyVariable'],
      what: `${variable} is no name of a key, and what that variable holds is sent to the server; is it the right one?`,
    });
  const cores = availableParallelism();
  if (threads !== undefined && threads > cores && model.workers !== 0)
    warnings.push({
      path: [...path, 'threads'],
      what: `${threads} threads are more than the ${cores} cores of this machine, which makes it slower; leave it out for what fits`,
    });
  return [...warnings, ...priceWarnings(model)];
}

const dayMs = 86_400_000;

function priceWarnings({ name, prices }: ModelDefinition): Problem[] {
  if (prices === undefined) return [];
  const path = ['models', name, 'prices'];
  const warnings: Problem[] = [];
  // Somewhere it is tomorrow already.
  if (Date.parse(prices.asOf) > Date.now() + dayMs)
    warnings.push({
      path,
      what: `asOf: ${prices.asOf} is yet to come; give the day on which they were looked up`,
    });
  const { inputMicroDollars, outputMicroDollars } = prices;
  const small = [inputMicroDollars, outputMicroDollars].find((one) => one > 0 && one < 1000);
  if (small !== undefined)
    warnings.push({
      path,
      what: `${small} micro-dollars for a million tokens is less than a tenth of a cent; if dollars were meant, write ${small}000000`,
    });
  return warnings;
}

/** Of two recordings of one question the newer is played, whichever model gave it. */
function recordWarnings(definitions: ModelDefinition[]): Problem[] {
  return definitions.flatMap(({ name, record }, place) => {
    const other = definitions.slice(0, place).find((one) => record !== undefined && one.record === record);
    if (!other) return [];
    return [
      {
        path: ['models', name, 'record'],
        what: `${other.name} records into this file too, and of the same question only the newer reply is played back; give each a file of its own`,
      },
    ];
  });
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

function ruleWarnings({ models, routes }: Config): Problem[] {
  const always = routes.findIndex(
    ({ when }) => when.role === undefined && when.kind === undefined && when.contextAbove === undefined,
  );
  return routes.flatMap((rule, place) => {
    const warnings: Problem[] = [];
    if (always >= 0 && place > always)
      warnings.push({
        path: ['routes', place],
        what: `${JSON.stringify(routes[always]!.name)} before it always holds, so that this rule is reached only while nobody serves the models of that; put it before that`,
      });
    const most = Math.max(...rule.models.map((name) => models[name]!.contextTokens));
    const { contextAbove } = rule.when;
    if (contextAbove !== undefined && contextAbove >= most)
      warnings.push({
        path: ['routes', place, 'when', 'contextAbove'],
        what: `where it holds, none of the rule's models can read as much: the longest context among them is ${most}`,
      });
    return warnings;
  });
}
