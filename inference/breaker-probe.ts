import { BackendError, type Backend, type ModelDefinition } from './backend.ts';

const probeTokens = 16;

/**
 * Asks the models of a pool, one after the other, whether they are there, and for a few words; the first that answers
 * is enough. Costs a few tokens. Never throws.
 */
export async function probeModels(
  models: readonly ModelDefinition[],
  backendOf: (name: string) => Backend | Promise<Backend>,
  signal: AbortSignal,
): Promise<{ isWell: boolean; why: string }> {
  const problems: string[] = [];
  for (const { name, model, maxTokens } of models) {
    try {
      const backend = await backendOf(name);
      await backend.check(model, signal);
      const request = {
        model,
        role: 'check',
        maxTokens: Math.min(probeTokens, maxTokens),
        messages: [{ role: 'user' as const, content: 'Say in one short sentence that you are ready.' }],
        tools: [],
      };
      await backend.complete(request, { signal, onText() {} });
      return { isWell: true, why: `${name} answered its probe` };
    } catch (error) {
      const words = error instanceof BackendError ? error.problem : String(error);
      problems.push(
        signal.aborted ? `${name} did not answer its probe in time` : `the probe failed: ${words}`,
      );
    }
  }
  return { isWell: false, why: problems.join('; ') || 'it has no model to probe' };
}
