import type { Config } from '../config/config.ts';
import { modelDefinitions, type ModelDefinition } from '../config/model-options.ts';
import { checkModel } from '../inference/check.ts';
import { missing, ok, warning, type Checked } from './checked.ts';

/** Asks every model, or the one named, a trivial prompt: is it there, how quick is it, how much does it say? */
export async function checkModels(
  config: Config,
  asked: ModelDefinition | undefined,
  environment: Record<string, string | undefined>,
  signal: AbortSignal,
): Promise<Checked[]> {
  const definitions = asked ? [asked] : modelDefinitions(config.models);
  if (definitions.length === 0) {
    return [
      warning(
        'models',
        'none is configured, so only the demo can run',
        './switchyard up --model ollama:NAME | openai:NAME | http://HOST:PORT/v1#NAME, or models in switchyard.yaml',
      ),
    ];
  }
  return Promise.all(definitions.map((definition) => checkOne(definition, environment, signal)));
}

async function checkOne(
  definition: ModelDefinition,
  environment: Record<string, string | undefined>,
  signal: AbortSignal,
): Promise<Checked> {
  const name = `model ${definition.name}`;
  if (definition.backend === 'scripted')
    return warning(
      name,
      'scripted: replies that were written beforehand, not by a model',
      'for real work name a model with --model',
    );
  const {
    ok: isThere,
    latencyMs,
    replyCharacters,
    tokensPerSecond,
    problem,
    mend,
  } = await checkModel(definition, environment, signal);
  if (!isThere) return missing(name, problem ?? 'it does not answer', mend ?? 'see the log of its server');
  const speed = tokensPerSecond === undefined ? '' : `, ${tokensPerSecond} tokens/s`;
  return ok(name, `answers a trivial prompt in ${latencyMs} ms with ${replyCharacters} characters${speed}`);
}
