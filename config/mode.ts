import { capabilitiesOf, isLocal } from '../schemas/model-backends.ts';
import type { Config } from './config.ts';
import { modelDefinitions, type ModelDefinition } from './model-options.ts';
import type { Environment } from './state.ts';

/** True where the configuration's mode lets this model be asked. `definition` is one of `modelDefinitions`. */
export function mayBeAsked(config: Pick<Config, 'mode'>, definition: ModelDefinition): boolean {
  return config.mode === 'local+api' || isLocal(definition);
}

/**
 * The models of a role that names none, in the order of the file: those that may be asked and can call tools. A
 * scripted one is asked only by name: a mesh never falls back to replies written beforehand by itself.
 */
export function modelsByDefault(
  config: Pick<Config, 'mode' | 'models'>,
  environment: Environment,
): ModelDefinition[] {
  return modelDefinitions(config.models, environment).filter(
    (model) =>
      model.backend !== 'scripted' && capabilitiesOf(model).includes('tools') && mayBeAsked(config, model),
  );
}
