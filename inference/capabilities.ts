import { modelBackend, type Capability } from '../schemas/model-backends.ts';
import type { ModelDefinition } from './backend.ts';

/** What a model can do: what its entry says, else what its backend declares. */
export function capabilitiesOf(definition: ModelDefinition): readonly Capability[] {
  return definition.capabilities ?? modelBackend(definition.backend)?.capabilities ?? [];
}
