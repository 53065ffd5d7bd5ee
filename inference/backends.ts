import { closest } from 'fastest-levenshtein';
import type { BackendName } from '../schemas/model-backends.ts';
import { BackendError } from './backend.ts';
import type { Backend, ModelDefinition } from './backend.ts';
import { useProxy } from './backends/proxy.ts';

/** Makes the backend of one model. Throws a permanent BackendError where a key, URL or script is missing. */
export type BackendFactory = (
  definition: ModelDefinition,
  environment: Record<string, string | undefined>,
) => Backend;

/** Where each backend is that `schemas/model-backends.ts` declares. Loaded when it is wanted: some bring a provider's large library. */
const factories: Readonly<Record<BackendName, () => Promise<BackendFactory>>> = {
  anthropic: async () => (await import('./backends/anthropic.ts')).anthropic,
  bedrock: async () => (await import('./backends/bedrock.ts')).bedrock,
  litellm: async () => (await import('./backends/litellm.ts')).litellm,
  llama: async () => (await import('./backends/llama.ts')).llama,
  ollama: async () => (await import('./backends/ollama.ts')).ollama,
  openai: async () => (await import('./backends/openai.ts')).openai,
  scripted: async () => (await import('./backends/scripted.ts')).scripted,
};

/** The backend of `definition`; rejects with a permanent BackendError that names the accepted values otherwise. */
export async function createBackend(
  definition: ModelDefinition,
  environment: Record<string, string | undefined>,
): Promise<Backend> {
  const factory = Object.hasOwn(factories, definition.backend)
    ? factories[definition.backend as BackendName]
    : undefined;
  if (factory) {
    await useProxy(definition, environment);
    const backend = (await factory())(definition, environment);
    if (definition.record === undefined) return backend;
    const { recorded } = await import('./backends/cassette-recorder.ts');
    return recorded(backend, definition.name, definition.record);
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
