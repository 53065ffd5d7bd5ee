import { stringify } from 'yaml';
import { backendNames, capabilities, modelBackends } from '../schemas/model-backends.ts';
import { agentRoles, type AgentRole } from '../schemas/row.ts';
import type { ModelOptions } from './model-options.ts';
import { configTemplate } from './template.ts';

/** A model that was found, as it would stand under `models`. */
export interface FoundModel {
  name: string;
  options: Partial<ModelOptions> & { backend: ModelOptions['backend'] };
  /** Where it was found, in words for a comment. */
  from: string;
}

/**
 * A `switchyard.yaml` with these models in force and roles that fit them; everything else in comments as ever. `notes`
 * are lines about what else was found.
 */
export function initialConfig(models: FoundModel[], notes: string[]): string {
  const heading = notes.map((note) => `# ${note}\n`).join('');
  if (models.length === 0) return configTemplate({}, heading);
  return configTemplate({ models: modelsText(models), roles: rolesText(models) }, heading);
}

function modelsText(models: FoundModel[]): string {
  const kinds = backendNames.map((name) => `#   ${name}: ${modelBackends[name].description}`);
  const intro = [
    '# The models that may be asked. What each option means: docs/configuration.md. Keys are named by their',
    '# environment variable, never written here. What answers (`backend`) is one of',
    ...kinds,
    `# What a model can do (\`capabilities\`: ${capabilities.join(', ')}) is what its backend says, unless it is given.`,
    'models:',
  ].join('\n');
  return `${intro}\n${models.map(entryText).join('\n')}`;
}

/** An entry of `models`, indented as it stands there. */
export function entryText({ name, options, from }: FoundModel): string {
  const yaml = stringify({ [name]: options }, { lineWidth: 0, singleQuote: true }).trimEnd();
  return `  # ${from}\n${yaml.replaceAll(/^/gm, '  ')}\n`;
}

const tiers = ['small', 'medium', 'large'];

/** The chain of each role: who plans and reviews asks the ablest first, who writes code begins in the middle. */
function rolesText(models: FoundModel[]): string {
  const asked = models.filter(
    ({ options }) => options.capabilities === undefined || options.capabilities.includes('tools'),
  );
  if (asked.length === 0) return rolesOf({});
  const byTier = (order: string[]) =>
    withOneHere(
      asked.toSorted(
        (one, other) =>
          order.indexOf(one.options.tier ?? 'medium') - order.indexOf(other.options.tier ?? 'medium'),
      ),
    ).map((one) => one.name);
  const ablest = byTier(tiers.toReversed());
  const middle = byTier(['medium', 'large', 'small']);
  return rolesOf({ planner: ablest, coder: middle, tester: middle, reviewer: ablest });
}

const mostInChain = 4;

/** The first of them, one that runs here among them where there is one: it answers when no network does. */
function withOneHere(models: FoundModel[]): FoundModel[] {
  const isHere = ({ options }: FoundModel) =>
    options.tags?.includes('local') === true && options.workers !== 0;
  const first = models.slice(0, mostInChain);
  const here = models.find(isHere);
  return here === undefined || first.some(isHere) ? first : [...first.slice(0, -1), here];
}

function rolesOf(chains: Partial<Record<AgentRole, string[]>>): string {
  const lines = agentRoles.map((role) => {
    const chain = stringify(chains[role] ?? [], { collectionStyle: 'flow', lineWidth: 0 }).trim();
    return `  ${role}: { models: ${chain} }`;
  });
  return [
    '# Which models a role asks: the first is preferred, the rest are its fallbacks. A role may also have',
    '# `temperature` (or `topP`) and `maxTokens`.',
    'roles:',
    ...lines,
    '',
  ].join('\n');
}
