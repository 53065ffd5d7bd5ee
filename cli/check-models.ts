import type { Config } from '../config/config.ts';
import { modelDefinitions, type ModelDefinition } from '../config/model-options.ts';
import { modelFlagForms } from '../inference/model-flag.ts';
import { askModel, askModels } from './ask-model.ts';
import { missing, ok, warning, type Checked } from './checked.ts';
import { barredBy, barredMend } from './models-named.ts';

/** Asks every model, or the one named, a trivial prompt: is it there, how quick is it, how much does it say? */
export async function checkModels(
  config: Config,
  asked: ModelDefinition | undefined,
  environment: Record<string, string | undefined>,
  signal: AbortSignal,
): Promise<Checked[]> {
  const definitions = asked ? [asked] : modelDefinitions(config.models, environment);
  if (definitions.length === 0) {
    return [
      warning(
        'models',
        'none is configured, so only the demo can run',
        `./switchyard up --model ${modelFlagForms}, or models in switchyard.yaml`,
      ),
    ];
  }
  return askModels(definitions, (definition) => checkOne(config, definition, environment, signal));
}

async function checkOne(
  config: Config,
  definition: ModelDefinition,
  environment: Record<string, string | undefined>,
  signal: AbortSignal,
): Promise<Checked> {
  const name = `model ${definition.name}`;
  const barred = barredBy(config, definition);
  if (barred !== undefined) return warning(name, barred, barredMend);
  const {
    ok: isThere,
    latencyMs,
    replyCharacters,
    tokensPerSecond,
    problem,
    mend,
  } = await askModel(definition, environment, signal);
  if (!isThere) return missing(name, problem ?? 'it does not answer', mend ?? 'see the log of its server');
  if (definition.backend === 'scripted')
    return warning(
      name,
      'scripted: replies that were written beforehand, not by a model',
      'for real work name a model with --model',
    );
  const speed = tokensPerSecond === undefined ? '' : `, ${tokensPerSecond} tokens/s`;
  return ok(name, `answers a trivial prompt in ${latencyMs} ms with ${replyCharacters} characters${speed}`);
}
