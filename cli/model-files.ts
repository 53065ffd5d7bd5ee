import { ConfigurationError } from '../config/configuration-error.ts';
import type { LoadedConfig } from '../config/load.ts';
import { modelDefinitions } from '../config/model-options.ts';
import { fileProblem } from '../inference/check.ts';

/**
 * What models are made of is read before anything starts: a file of replies that is none, a GGUF file that is cut or
 * was made for less, is told here, not by the process that would load it. Throws ConfigurationError with all of them.
 */
export async function requireModelFiles({ config, sentenceOf }: LoadedConfig): Promise<void> {
  const problems: string[] = [];
  for (const definition of modelDefinitions(config.models)) {
    const problem = await fileProblem(definition);
    if (problem !== undefined)
      problems.push(sentenceOf({ path: ['models', definition.name, problem.option], what: problem.what }));
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
}
