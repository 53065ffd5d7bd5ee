import { capabilitiesOf } from '../schemas/model-backends.ts';
import type { AgentRole } from '../schemas/row.ts';
import type { Config } from './config.ts';
import { mayBeAsked, modelsByDefault } from './mode.ts';
import { modelDefinitions } from './model-options.ts';
import { twiceIn } from './model-problems.ts';
import { nearest, type Problem } from './problems.ts';
import type { Environment } from './state.ts';
import type { Path } from './yaml-file.ts';

/** What `roles` and `routes` say against `models` and `mode`. */
export function roleProblems(config: Config, environment: Environment): Problem[] {
  const lists: { path: Path; models: string[] }[] = [
    ...Object.entries(config.roles).map(([role, { models }]) => ({
      path: ['roles', role, 'models'],
      models,
    })),
    ...config.routes.map((rule, place) => ({ path: ['routes', place, 'models'], models: rule.models })),
  ];
  return [
    ...lists.flatMap(({ path, models }) => listProblems(config, environment, path, models)),
    ...defaultProblems(config, environment),
    ...ruleProblems(config),
  ];
}

/** A list names models that there are, that can call tools, and one at least that may be asked. */
function listProblems(config: Config, environment: Environment, path: Path, asked: string[]): Problem[] {
  const problems: Problem[] = [];
  const names = Object.keys(config.models);
  asked.forEach((name, place) => {
    const model = Object.hasOwn(config.models, name) ? config.models[name] : undefined;
    const say = (what: string) => problems.push({ path: [...path, place], what });
    if (!model) {
      const known = names.length === 0 ? 'none is defined under `models`' : names.join(', ');
      say(`there is no model ${JSON.stringify(name)}; accepted: ${known}${nearest(name, names)}`);
    } else if (!capabilitiesOf(model).includes('tools'))
      say(
        `${name} cannot call tools, and every role works with tools; name another, or give it \`tools\` under models.${name}.capabilities if it can`,
      );
  });
  const twice = twiceIn(asked);
  if (twice !== undefined)
    problems.push({
      path,
      what: `${twice} is here twice, and is no fallback for itself; leave one of them out`,
    });
  const known = asked.filter((name) => Object.hasOwn(config.models, name));
  const definitions = modelDefinitions(
    Object.fromEntries(known.map((name) => [name, config.models[name]!])),
    environment,
  );
  if (definitions.length > 0 && !definitions.some((one) => mayBeAsked(config, one)))
    problems.push({
      path,
      what: `\`mode: local-only\` lets none of them be asked: ${definitions.map(whereOf).join(', ')}; add a model of this machine, or set \`mode: local+api\``,
    });
  return problems;
}

const whereOf = ({ name, url, backend }: { name: string; url?: string; backend: string }) =>
  `${name} (${url ?? backend})`;

/** A role that names no model has all; where there are some, one of them must be left. */
function defaultProblems(config: Config, environment: Environment): Problem[] {
  const without = (Object.keys(config.roles) as AgentRole[]).filter(
    (role) => config.roles[role].models.length === 0,
  );
  if (config.mode === 'local+api' || without.length === 0) return [];
  if (modelsByDefault(config, environment).length > 0) return [];
  const barred = modelsByDefault({ ...config, mode: 'local+api' }, environment);
  if (barred.length === 0) return [];
  return [
    {
      path: ['mode'],
      what: `it leaves no model for the ${without.join(', ')}: ${barred.map(whereOf).join(', ')} ${barred.length > 1 ? 'are' : 'is'} not on this machine; add a model that is, or set \`mode: local+api\``,
    },
  ];
}

function ruleProblems({ models, routes }: Config): Problem[] {
  const problems: Problem[] = [];
  routes.forEach((rule, place) => {
    const tags = rule.when.tags ?? [];
    const isBorne = rule.models.some((name) => tags.every((tag) => models[name]?.tags.includes(tag)));
    if (!isBorne && rule.models.every((name) => Object.hasOwn(models, name)))
      problems.push({
        path: ['routes', place, 'when', 'tags'],
        what: `none of this rule's models bears ${tags.join(' and ')}, so it never holds; add the tags under \`models\` or correct them`,
      });
    const earlier = routes.findIndex((other) => other.name === rule.name);
    if (earlier < place)
      problems.push({
        path: ['routes', place, 'name'],
        what: `the name ${JSON.stringify(rule.name)} is taken by an earlier rule; choose another`,
      });
  });
  return problems;
}
