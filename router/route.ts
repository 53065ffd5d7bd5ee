import type { DataOf, EventOf } from '../schemas/catalogue.ts';
import { shortType } from '../schemas/envelope.ts';
import type { Decision, Input, Owed, Stored } from '../schemas/service.ts';
import type { Choice, Work } from '../schemas/work.ts';
import { contextEstimate, matchingRules, type Rule } from './rules.ts';

/** What the router looks up: the operator's models and rules, and which pools are alive. */
export interface RoutingFacts {
  models: Record<string, Choice & { tags: string[] }>;
  /** The models of the role, the preferred one first. */
  preferred: string[];
  rules: Rule[];
  /** Pools with at least one live worker. */
  livePools: string[];
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
  /** True where one more process mends it. */
  isDead: boolean;
}

function choose(work: Work, facts: RoutingFacts): Chosen | { waits: string; mend: string } {
  const rejected: Rejected[] = [];
  const passedOver: string[] = [];
  for (const source of sources(work, facts)) {
    const usable: Choice[] = [];
    const problems = new Map<string, string>();
    for (const name of new Set(source.models)) {
      const problem = problemOf(name, work, facts, source.tags);
      if (!problem) usable.push(choiceOf(facts.models[name]!));
      else {
        problems.set(name, problem.why);
        const isKnown = rejected.some((one) => one.model === name && one.why === problem.why);
        if (!isKnown) rejected.push({ model: name, ...problem });
      }
    }
    if (usable.length === 0) {
      passedOver.push(source.rule);
      continue;
    }
    const first = problems.get(source.models[0]!);
    const reasons = [
      source.why,
      ...(first ? [`${source.models[0]} cannot be used: ${first}`] : []),
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
    mend: rejected.some((one) => one.isDead) ? './switchyard start inference' : addModel,
  };
}

const addModel = 'add a model that can do it under `models` in switchyard.yaml, and start the mesh again';

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
  if (!model) return { why: 'it is not configured', isDead: false };
  const lacking = tags.find((tag) => !model.tags.includes(tag));
  if (lacking) return { why: `it lacks the tag ${lacking}`, isDead: false };
  const room = Math.max(0, model.contextTokens - model.maxTokens);
  const need = contextEstimate(work);
  if (need > room) {
    const why = `its context window leaves ${room} tokens to read and about ${need} are needed`;
    return { why, isDead: false };
  }
  if (facts.livePools.includes(model.pool)) return undefined;
  return { why: `its pool "${model.pool}" has no live worker`, isDead: true };
}

function choiceOf({ tags: _, ...choice }: Choice & { tags: string[] }): Choice {
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
