import { closest } from 'fastest-levenshtein';
import { BackendError } from './backend.ts';
import type { Backend, ModelDefinition } from './backend.ts';
import { openai } from './backends/openai.ts';
import { scripted } from './backends/scripted.ts';

/** Makes the backend of one model. Throws a permanent BackendError where a key, URL or script is missing. */
export type BackendFactory = (
  definition: ModelDefinition,
  environment: Record<string, string | undefined>,
) => Backend;

/** Every backend, by the name that a model's `backend` gives. A new one is a file in `backends/` and a line here. */
export const backends: Readonly<Record<string, BackendFactory>> = { openai, scripted };

/** The backend of `definition`; throws a permanent BackendError that names the accepted values otherwise. */
export function createBackend(
  definition: ModelDefinition,
  environment: Record<string, string | undefined>,
): Backend {
  const factory = Object.hasOwn(backends, definition.backend) ? backends[definition.backend] : undefined;
  if (factory) return factory(definition, environment);
  const names = Object.keys(backends);
  throw new BackendError(
    'permanent',
    `model ${definition.name} names an unknown backend: ${definition.backend}`,
    {
      mend: `use one of ${names.join(', ')} (nearest: ${closest(definition.backend, names)})`,
    },
  );
}
