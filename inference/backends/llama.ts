import { BackendError } from '../backend.ts';
import type { Backend, ModelDefinition } from '../backend.ts';
import { capabilitiesOf } from '../../schemas/model-backends.ts';
import { readGguf, requireContext } from './gguf.ts';

/**
 * A model of the kind `llama` as a process knows it that has not loaded it: it looks at the file and no more. Its
 * replies come from a gpu-worker, a process of its own, so that a crash of llama.cpp takes nobody along. Throws a
 * permanent BackendError where the entry names no file.
 */
export function llama(definition: ModelDefinition): Backend {
  const file = definition.file;
  if (file === undefined) {
    throw new BackendError(
      'permanent',
      `model ${definition.name} is of the backend llama, but names no file`,
      {
        mend: 'give the path of a GGUF file as its `file`',
      },
    );
  }
  return {
    capabilities: capabilitiesOf(definition),
    async complete() {
      throw new BackendError(
        'permanent',
        `the model ${definition.name} is served by a gpu-worker, and this process is none`,
        { mend: `start one with \`./switchyard start gpu-worker --model ${definition.name}\`` },
      );
    },
    async check() {
      requireContext(definition, readGguf(file));
    },
  };
}
