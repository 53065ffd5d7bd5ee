import type { Command } from 'commander';
import { askAboutTask } from './asking.ts';
import { withMesh } from './connection.ts';
import { verb } from './verb.ts';

export function registerApprove(program: Command): void {
  const command = program
    .command('approve')
    .summary('approve what a paused task waits for')
    .description('Approves a plan, or going on after an effect of which nobody knows whether it happened.')
    .argument('<task>', 'its id, the start of it, or `latest`')
    .option('--watch', 'follow it to its end');
  verb<{ watch?: boolean }>(
    command,
    [
      ['approve latest', 'the plan is fine'],
      ['approve 3f1c --watch', 'and follow it'],
    ],
    ({ options, environment, output }, task) =>
      withMesh({ options, environment }, (mesh) =>
        askAboutTask(
          mesh,
          task!,
          { type: 'task.approve', verb: 'approve', data: {}, isWatched: options.watch },
          output,
        ),
      ),
  );
}
