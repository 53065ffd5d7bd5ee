import type { ModelDefinition } from '../config/model-options.ts';
import type { WidthResult } from '../inference/bench.ts';
import { benchModel, checkModel, type ModelCheck } from '../inference/check.ts';

type Environment = Record<string, string | undefined>;

/** Asks any model a trivial prompt: over the wire, or, a GGUF file, by loading it in a process of its own. Never throws. */
export async function askModel(
  definition: ModelDefinition,
  environment: Environment,
  signal?: AbortSignal,
): Promise<ModelCheck> {
  if (definition.backend !== 'llama') return checkModel(definition, environment, signal);
  // Only who has such a model reads what belongs to llama.cpp.
  const { checkLlama } = await import('../gpu-worker/check.ts');
  return checkLlama(definition, signal);
}

/** Asks several: those over the wire at once, GGUF files one after the other, for each takes its memory. In their order. */
export async function askModels<Result>(
  definitions: ModelDefinition[],
  ask: (definition: ModelDefinition) => Promise<Result>,
): Promise<Result[]> {
  let turn: Promise<unknown> = Promise.resolve();
  return Promise.all(
    definitions.map((definition) => {
      if (definition.backend !== 'llama') return ask(definition);
      const asked = turn.then(() => ask(definition));
      turn = asked.catch(() => undefined);
      return asked;
    }),
  );
}

/** How quick any model is at each width. Throws BackendError where it gives no first reply. */
export async function* measureModel(
  definition: ModelDefinition,
  environment: Environment,
  asked: { widths: number[]; tokens: number; signal: AbortSignal },
): AsyncGenerator<WidthResult> {
  if (definition.backend !== 'llama') {
    yield* benchModel(definition, environment, asked);
    return;
  }
  const { benchLlama } = await import('../gpu-worker/check.ts');
  yield* benchLlama(definition, asked);
}
