import type { Command } from 'commander';
import { askAboutTask } from './asking.ts';
import { withMesh } from './connection.ts';
import { verb } from './verb.ts';

export function registerPause(program: Command): void {
  const command = program
    .command('pause')
    .summary('stop a task until it is resumed')
    .description('Stops the run of a task; `resume` starts a new one from the last commit.')
    .argument('<task>', 'its id, the start of it, or `latest`')
    .option('--reason <text>', 'why');
  verb<{ reason?: string }>(
    command,
    [
      ['pause latest', 'stop the newest task for now'],
      ['pause 3f1c --reason "rebasing"', 'say why'],
    ],
    ({ options, environment, output }, task) =>
      withMesh({ options, environment }, (mesh) =>
        askAboutTask(
          mesh,
          task!,
          { type: 'task.pause', verb: 'pause', data: options.reason ? { reason: options.reason } : {} },
          output,
        ),
      ),
  );
}
