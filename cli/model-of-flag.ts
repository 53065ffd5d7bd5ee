import { ConfigurationError } from '../config/configuration-error.ts';
import { addressOf } from '../config/model-defaults.ts';
import type { ModelDefinition } from '../config/model-options.ts';
import { readModelFlag } from '../inference/model-flag.ts';

/** The model that `--model` names, at the address that an entry of its backend would have. Throws ConfigurationError. */
export function modelOfFlag(flag: string, environment: Record<string, string | undefined>): ModelDefinition {
  const read = readModelFlag(flag, environment, (row) => addressOf(row, environment));
  if ('problem' in read) throw new ConfigurationError([read.problem]);
  return read.definition as ModelDefinition;
}
