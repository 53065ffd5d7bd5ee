import type { DataOf, EventOf } from '../schemas/catalogue.ts';
import { shortType } from '../schemas/envelope.ts';
import type { Decision, Input, Owed, Stored } from '../schemas/service.ts';
import type { Choice, Work } from '../schemas/work.ts';
import { contextEstimate, matchingRules, type Rule } from './rules.ts';

/** A model as the router sees it. What older records do not hold is optional. */
export type RoutableModel = Choice & {
  tags: string[];
  capabilities?: string[];
  /** False where asking it opens a connection to another machine. */
  isLocal?: boolean;
};

/** What the router looks up: the operator's models and rules, which pools are alive, and which of them rest. */
export interface RoutingFacts {
  models: Record<string, RoutableModel>;
  /** The models of the role, the preferred one first. */
  preferred: string[];
  rules: Rule[];
  /** Pools with at least one live worker. */
  livePools: string[];
  mode?: 'local-only' | 'local+api';
  /** Breakers that are not closed, by pool. */
  breakers?: Record<string, { phase: 'open' | 'half-open'; since: string; why: string }>;
  /** How busy live workers are, by model; kept for whoever reads the decision, which goes by preference. */
  load?: Record<string, { freeSlots: number; slots: number; tokensPerSecond?: number }>;
}

/** A route as its journal says it is. */
export interface Route {
  phase: 'none' | 'waiting' | 'decided';
  work?: Work;
  choices: Choice[];
}

export const noRoute: Route = { phase: 'none', choices: [] };

/** How soon a route that waits for a pool is looked at again. */
const waitMs = 1000;

export function evolve(route: Route, stored: Stored): Route {
  const type = shortType(stored.event.type) as EventOf<'route'>;
  switch (type) {
    case 'route.waiting':
      return { ...route, phase: 'waiting', work: (stored.event.data as DataOf<'route.waiting'>).work };
    case 'route.decided': {
      const { work, choices } = stored.event.data as DataOf<'route.decided'>;
      return { phase: 'decided', work, choices };
    }
  }
}

/** Decides once a run. The same work and the same facts always give the same decision; a dead pool is never chosen. */
export function decide(route: Route, input: Input): Decision {
  if (input.type !== 'work.route' || route.phase === 'decided') return { do: 'nothing' };
  const { work } = input.event!.data as DataOf<'work.route'>;
  const found = choose(work, input.facts as RoutingFacts);
  const { runId, role, hop, cyclesLeft } = work;
  if ('waits' in found) {
    if (route.phase === 'waiting') return { do: 'later', delayMs: waitMs };
    const data = { runId, role, why: found.waits, mend: found.mend, work };
    return { do: 'append', type: 'route.waiting', hop, cyclesLeft, data, againMs: waitMs };
  }
  const { pool, model } = found.choices[0]!;
  const data = { runId, role, pool, model, ...found, work };
  return { do: 'append', type: 'route.decided', hop, cyclesLeft, data };
}

interface Chosen {
  choices: Choice[];
  confidence: number;
  rule: string;
  why: string;
  rejected: { model: string; why: string }[];
}

interface Rejected {
  model: string;
  why: string;
  /** What would mend it. */
  mend: string;
}

function choose(work: Work, facts: RoutingFacts): Chosen | { waits: string; mend: string } {
  const rejected: Rejected[] = [];
  const passedOver: string[] = [];
  for (const source of sources(work, facts)) {
    const usable: Choice[] = [];
    const last: Choice[] = [];
    const problems = new Map<string, string>();
    for (const name of new Set(source.models)) {
      const problem = problemOf(name, work, facts, source.tags);
      if (problem) {
        problems.set(name, `cannot be used: ${problem.why}`);
        const isKnown = rejected.some((one) => one.model === name && one.why === problem.why);
        if (!isKnown) rejected.push({ model: name, ...problem });
        continue;
      }
      const model = facts.models[name]!;
      const breaker = facts.breakers?.[model.pool];
      if (breaker) {
        problems.set(name, `is only a last choice: its breaker is half-open (${breaker.why})`);
        last.push(choiceOf(model));
      } else usable.push(choiceOf(model));
    }
    usable.push(...last);
    if (usable.length === 0) {
      passedOver.push(source.rule);
      continue;
    }
    const first = problems.get(source.models[0]!);
    const reasons = [
      source.why,
      ...(first ? [`${source.models[0]} ${first}`] : []),
      ...passedOver.map((rule) => `no model of the rule "${rule}" can be used`),
    ];
    return {
      choices: usable,
      confidence: first ? Math.round(source.confidence * 70) / 100 : source.confidence,
      rule: source.rule,
      why: reasons.join('; '),
      rejected: rejected.map(({ model, why }) => ({ model, why })),
    };
  }
  if (rejected.length === 0) return { waits: `no model is configured for the ${work.role}`, mend: addModel };
  return {
    waits: rejected.map((one) => `${one.model}: ${one.why}`).join('; '),
    // What mends by itself, or with one command, is said before what takes an edit.
    mend: mends.find((mend) => rejected.some((one) => one.mend === mend)) ?? addModel,
  };
}

const startInference = './switchyard start inference';
const startGpuWorker = './switchyard start gpu-worker';
const waitForProbe =
  'it is probed when its rest is over and then goes on by itself; see what its server and the logs of inference say';
const allowApi = 'allow models elsewhere with `mode: local+api` in switchyard.yaml, and start the mesh again';
const addModel = 'add a model that can do it under `models` in switchyard.yaml, and start the mesh again';
const mends = [waitForProbe, startInference, startGpuWorker, allowApi];

/** Where models come from, most telling first: asked for by name, the operator's rules, the role's own list. */
function sources(
  work: Work,
  facts: RoutingFacts,
): { rule: string; models: string[]; confidence: number; why: string; tags?: string[] }[] {
  if (work.model)
    return [
      { rule: 'asked', models: [work.model], confidence: 1, why: `${work.model} was asked for by name` },
    ];
  const [only] = facts.preferred;
  const isOnlyOne = facts.preferred.length === 1;
  return [
    ...matchingRules(facts.rules, work).map((rule) => ({
      rule: rule.name,
      models: rule.models,
      confidence: rule.confidence,
      why: rule.why,
      ...(rule.when.tags ? { tags: rule.when.tags } : {}),
    })),
    {
      rule: 'role',
      models: facts.preferred,
      confidence: isOnlyOne ? 0.95 : 0.8,
      why: isOnlyOne
        ? `${only} is the only model of the ${work.role}`
        : `${only ?? 'no model'} is the first choice of the ${work.role}`,
    },
  ];
}

function problemOf(
  name: string,
  work: Work,
  facts: RoutingFacts,
  tags: string[] = [],
): Omit<Rejected, 'model'> | undefined {
  const model = Object.hasOwn(facts.models, name) ? facts.models[name] : undefined;
  if (!model) return { why: 'it is not configured', mend: addModel };
  const lacking = tags.find((tag) => !model.tags.includes(tag));
  if (lacking) return { why: `it lacks the tag ${lacking}`, mend: addModel };
  // Every agent acts by calling tools, if only the one that ends its work.
  if (model.capabilities && !model.capabilities.includes('tools'))
    return { why: 'it cannot call tools', mend: addModel };
  if (facts.mode === 'local-only' && model.isLocal === false)
    return { why: 'it is asked elsewhere, and the mode is local-only', mend: allowApi };
  const room = Math.max(0, model.contextTokens - model.maxTokens);
  const need = contextEstimate(work);
  if (need > room) {
    const why = `its context window leaves ${room} tokens to read and about ${need} are needed`;
    return { why, mend: addModel };
  }
  const start = model.backend === 'llama' ? startGpuWorker : startInference;
  if (!facts.livePools.includes(model.pool))
    return { why: `its pool "${model.pool}" has no live worker`, mend: start };
  if (facts.load && !Object.hasOwn(facts.load, name))
    return { why: `no live worker of its pool "${model.pool}" serves it`, mend: start };
  const breaker = facts.breakers?.[model.pool];
  if (breaker?.phase !== 'open') return undefined;
  return { why: `its breaker is open since ${breaker.since}: ${breaker.why}`, mend: waitForProbe };
}

/** What a run is told of a model; what else is known of it is the router's. */
function choiceOf(model: RoutableModel): Choice {
  const { tags: _tags, capabilities: _capabilities, isLocal: _isLocal, ...choice } = model;
  return choice;
}

/** A decided route owes its run a start. */
export function outbox(route: Route): Owed[] {
  if (route.phase !== 'decided' || !route.work) return [];
  const { work, choices } = route;
  return [
    {
      key: `start|${work.runId}`,
      to: { inbox: 'role', role: work.role },
      type: 'run.start',
      data: { work, choices },
      answer: { journal: { entity: 'run', role: work.role, id: work.runId }, isAnsweredBy: ['*'] },
    },
  ];
}
