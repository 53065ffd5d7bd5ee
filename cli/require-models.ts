import { modelDefinitions } from '../config/model-options.ts';
import { nearest } from '../config/problems.ts';
import { modelFlagForms } from '../inference/model-flag.ts';
import type { Connection } from './connection.ts';
import { hasOnlyDemoReplies, isDemoRepository } from './demo.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';

/** Stops before any work on a repository that the demo's replies were not written for. Throws CommandError. */
export function requireOwnModels(
  { config, stateDirectory }: Pick<Connection, 'config' | 'stateDirectory'>,
  repository: string,
): void {
  if (!hasOnlyDemoReplies(config) || isDemoRepository(stateDirectory, repository)) return;
  throw new CommandError(
    "this mesh has only the demo's scripted replies, which fit the demo's own repository and no other",
    `end it, and start one with a model: ./switchyard up --model ${modelFlagForms}`,
    exitCodes.usage,
  );
}

/** A model that a task is to go on with must be configured here, where the mesh runs. Throws CommandError. */
export function requireConfigured(
  { config, mesh }: Pick<Connection, 'config' | 'mesh'>,
  model?: string,
): void {
  const names = modelDefinitions(config.models).map((one) => one.name);
  // Of a broker elsewhere the models are configured elsewhere too: its manager says whether there is such a one.
  if (model === undefined || mesh === undefined || names.includes(model)) return;
  throw new CommandError(
    `there is no model ${JSON.stringify(model)} in this mesh; there ${names.length === 0 ? 'is none' : `are ${names.join(', ')}`}${nearest(model, names)}`,
    'name one of them, or start the mesh with another: ./switchyard up --model ...',
    exitCodes.usage,
  );
}
