import type { Command } from 'commander';
import { readCount, readDollars, readDuration } from './amount.ts';
import { askAboutTask } from './asking.ts';
import { withMesh } from './connection.ts';
import { requireConfigured } from './require-models.ts';
import { verb } from './verb.ts';

interface Options {
  cycles?: number;
  hops?: number;
  steps?: number;
  budget?: number;
  deadline?: number;
  model?: string;
  watch?: boolean;
}

export function registerResume(program: Command): void {
  const command = program
    .command('resume')
    .summary('let a paused task go on')
    .description(
      'Lets a paused task go on, with more of what it ran out of. A new run starts from the last commit.',
    )
    .argument('<task>', 'its id, the start of it, or `latest`')
    .option('--cycles <count>', 'so many review cycles more', readCount)
    .option('--hops <count>', 'so many hand-offs more', readCount)
    .option('--steps <count>', 'so many steps a run more', readCount)
    .option('--budget <dollars>', 'so many dollars more', readDollars)
    .option('--deadline <time>', 'so much time from now, such as 1h', readDuration)
    .option('--model <name>', 'another configured model')
    .option('--watch', 'follow it to its end');
  verb<Options>(
    command,
    [
      ['resume latest', 'go on'],
      ['resume 3f1c --cycles 1 --hops 2', 'one more review cycle'],
      ['resume 3f1c --budget 1.00 --deadline 1h --watch', 'a dollar and an hour more, and follow it'],
    ],
    ({ options, environment, output }, task) => {
      const { cycles, hops, steps, budget, deadline, model } = options;
      const more = { cycles, hops, steps, budgetMicroDollars: budget, deadlineMs: deadline, model };
      const data = Object.fromEntries(Object.entries(more).filter(([, value]) => value !== undefined));
      return withMesh({ options, environment }, (mesh) => {
        requireConfigured(mesh, model);
        const asking = { type: 'task.resume', verb: 'resume', data, isWatched: options.watch } as const;
        return askAboutTask(mesh, task!, asking, output);
      });
    },
  );
}
