import type { Command } from 'commander';
import { registerModelsBench } from './models-bench.ts';
import { registerModelsCheck } from './models-check.ts';
import { registerModelsList } from './models-list.ts';
import { registerModelsPull } from './models-pull.ts';

export function registerModels(program: Command): void {
  const models = program
    .command('models')
    .summary('list, check, fetch and measure models')
    .description(
      'Shows the registry of models, asks each a word, fetches GGUF files and measures how quick models are; docs/models/README.md explains the registry.',
    );
  registerModelsList(models);
  registerModelsCheck(models);
  registerModelsPull(models);
  registerModelsBench(models);
}
