import type { Config } from '../config/config.ts';
import { mayBeAsked } from '../config/mode.ts';
import { modelDefinitions, type ModelDefinition } from '../config/model-options.ts';
import { nearest } from '../config/problems.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';

/** The models of the registry that were named, all of them where none was. Throws CommandError for a name that is none. */
export function modelsNamed(
  config: Config,
  environment: Record<string, string | undefined>,
  names: string[],
): ModelDefinition[] {
  const all = modelDefinitions(config.models, environment);
  if (all.length === 0)
    throw new CommandError(
      'no model is configured',
      './switchyard config init looks for some; or ./switchyard models pull hf:OWNER/REPO/FILE.gguf',
      exitCodes.usage,
    );
  const known = all.map((one) => one.name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new CommandError(
      `there is no model ${JSON.stringify(unknown)}; there ${known.length === 1 ? 'is' : 'are'} ${known.join(', ')}${nearest(unknown, known)}`,
      './switchyard models list',
      exitCodes.usage,
    );
  return names.length === 0 ? all : all.filter((one) => names.includes(one.name));
}

/** What to do about a model that is not to be asked in this mode. */
export const barredMend = 'set `mode: local+api` in switchyard.yaml, or leave the model out of it';

/** Why a model is not to be asked in this mode; undefined where it may be. */
export function barredBy(config: Config, model: ModelDefinition): string | undefined {
  if (mayBeAsked(config, model)) return undefined;
  return `it is not on this machine, and the mode is ${config.mode}`;
}
