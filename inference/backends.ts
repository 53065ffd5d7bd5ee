import { closest } from 'fastest-levenshtein';
import type { BackendName } from '../schemas/model-backends.ts';
import { BackendError } from './backend.ts';
import type { Backend, ModelDefinition } from './backend.ts';
import { anthropic } from './backends/anthropic.ts';
import { bedrock } from './backends/bedrock.ts';
import { recorded } from './backends/cassette-recorder.ts';
import { litellm } from './backends/litellm.ts';
import { llama } from './backends/llama.ts';
import { ollama } from './backends/ollama.ts';
import { openai } from './backends/openai.ts';
import { scripted } from './backends/scripted.ts';

/** Makes the backend of one model. Throws a permanent BackendError where a key, URL or script is missing. */
export type BackendFactory = (
  definition: ModelDefinition,
  environment: Record<string, string | undefined>,
) => Backend;

/** Makes each backend that `schemas/model-backends.ts` declares. */
const factories: Readonly<Record<BackendName, BackendFactory>> = {
  anthropic,
  bedrock,
  litellm,
  llama,
  ollama,
  openai,
  scripted,
};

/** The backend of `definition`; throws a permanent BackendError that names the accepted values otherwise. */
export function createBackend(
  definition: ModelDefinition,
  environment: Record<string, string | undefined>,
): Backend {
  const factory = Object.hasOwn(factories, definition.backend)
    ? factories[definition.backend as BackendName]
    : undefined;
  if (factory) {
    const backend = factory(definition, environment);
    return definition.record === undefined ? backend : recorded(backend, definition.name, definition.record);
  }
  const names = Object.keys(factories);
  throw new BackendError(
    'permanent',
    `model ${definition.name} names an unknown backend: ${definition.backend}`,
    {
      mend: `use one of ${names.join(', ')} (nearest: ${closest(definition.backend, names)})`,
    },
  );
}
