import { allowInState } from '../config/allowed.ts';
import { ConfigurationError } from '../config/configuration-error.ts';
import type { Config } from '../config/config.ts';
import { mayBeAsked } from '../config/mode.ts';
import { modelDefinitions } from '../config/model-options.ts';
import { useModel, type Overrides } from '../config/overrides.ts';
import { modelFlagForms } from '../inference/model-flag.ts';
import { askModel } from './ask-model.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import type { Say } from './mesh.ts';
import { modelOfFlag } from './model-of-flag.ts';
import { requireCommand, requireOwnRepository } from './own-repository.ts';

/** What `up` is asked for on its command line. */
export interface UpOptions {
  state?: string;
  config?: string;
  demo?: boolean;
  once?: boolean;
  brokerOnly?: boolean;
  /** False with --no-dashboard. */
  dashboard?: boolean;
  repo?: string;
  goal?: string;
  test?: string;
  setup?: string;
  plan?: boolean;
  unattended?: boolean;
  model?: string;
  port?: string;
  durability?: 'power' | 'process';
  json?: boolean;
}

/** What the command line says over the file. Throws ConfigurationError. */
export function overridesOf(options: UpOptions, environment: Record<string, string | undefined>): Overrides {
  const mesh: Overrides['mesh'] = {
    ...(options.port === undefined ? {} : { port: portOf(options.port) }),
    ...(options.durability ? { durability: options.durability } : {}),
  };
  if (options.model === undefined) return { mesh };
  return { mesh, ...useModel(modelOfFlag(options.model, environment)) };
}

function portOf(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new ConfigurationError([
    `--port: "${text}" is no port; give a number from 1 to 65535, or leave it out for a free one`,
  ]);
}

/** Naming a repository or a command on the operator's own command line allows it. Throws CommandError where it is none. */
export function allowNamed(options: UpOptions, stateDirectory: string): string | undefined {
  if (options.repo === undefined) return undefined;
  const repository = requireOwnRepository(options.repo);
  requireCommand('--test', options.test);
  requireCommand('--setup', options.setup);
  allowInState(stateDirectory, { repository, test: options.test, setup: options.setup });
  return repository;
}

/** What is said of the task that `--repo` is for. */
const ofTask = ['goal', 'test', 'setup', 'plan', 'unattended'] as const;

/** Options that do not go together, and such as say something about a task where there is none. Throws CommandError. */
export function requireTask(options: UpOptions, isDemo: boolean): void {
  if (options.brokerOnly) {
    const roles = (['demo', 'once', 'repo', ...ofTask, 'model'] as const).find(
      (name) => options[name] !== undefined,
    );
    if (roles)
      throw new CommandError(
        `--broker-only starts no role, and --${roles} needs some`,
        'leave one of the two out',
        exitCodes.usage,
      );
  }
  if (options.repo !== undefined) {
    if (options.goal !== undefined || options.test !== undefined) return;
    throw new CommandError(
      '--repo goes with --goal or --test: what is to be done there?',
      'add --test "npm test", --goal "...", or both',
      exitCodes.usage,
    );
  }
  const given = ofTask.filter((name) => options[name] !== undefined);
  const names = [...given, ...(options.once && !isDemo ? ['once'] : [])].map((name) => `--${name}`);
  if (names.length > 0)
    throw new CommandError(
      `${names.join(' and ')} ${names.length > 1 ? 'go' : 'goes'} with --repo: there is no task without a repository`,
      'name it with --repo DIR, or leave that out',
      exitCodes.usage,
    );
}

/** Stops before any work when a task that is about to be asked for has nobody to think about it. */
export function requireModels({ roles, routes }: Config, isPlanned: boolean): void {
  const needed = [...(isPlanned ? (['planner'] as const) : []), ...(['coder', 'reviewer'] as const)];
  const without = needed.filter(
    (role) => roles[role].models.length === 0 && !routes.some(({ when }) => (when.role ?? role) === role),
  );
  if (without.length > 0)
    throw new CommandError(
      `no model is named for the ${without.join(' and the ')}`,
      `add --model ${modelFlagForms}, or \`models\` in switchyard.yaml`,
      exitCodes.usage,
    );
}

/** Stops before any work when a model that is to be used cannot answer. Scripted replies need no check. */
export async function checkModels(
  config: Config,
  environment: Record<string, string | undefined>,
  say: Say,
): Promise<void> {
  const used = new Set([
    ...Object.values(config.roles).flatMap((role) => role.models),
    ...config.routes.flatMap((rule) => rule.models),
  ]);
  const problems: string[] = [];
  for (const definition of modelDefinitions(config.models)) {
    if (!used.has(definition.name) || definition.backend === 'scripted') continue;
    if (!mayBeAsked(config, definition)) continue;
    say(`asking ${definition.name} for a word, to see that it answers`);
    const check = await askModel(definition, environment);
    if (check.ok) say(`  it answered ${check.replyCharacters} characters in ${check.latencyMs} ms`);
    else
      problems.push(
        [`the model ${definition.name} cannot be used: ${check.problem}`, check.mend]
          .filter(Boolean)
          .join('; '),
      );
  }
  // Nothing is wrong with what was typed: what it names is not there, or not for us.
  if (problems.length > 0) throw new CommandError(problems);
}
