import type { Command } from 'commander';
import { askAboutTask } from './asking.ts';
import { withMesh } from './connection.ts';
import { verb } from './verb.ts';

export function registerCancel(program: Command): void {
  const command = program
    .command('cancel')
    .summary('end a task')
    .description('Ends a task at any point; what it has done so far stays on its branch.')
    .argument('<task>', 'its id, the start of it, or `latest`')
    .option('--reason <text>', 'why');
  verb<{ reason?: string }>(
    command,
    [
      ['cancel latest', 'end the newest task'],
      ['cancel 3f1c --reason "no longer wanted"', 'say why'],
    ],
    ({ options, environment, output }, task) =>
      withMesh({ options, environment }, (mesh) =>
        askAboutTask(
          mesh,
          task!,
          { type: 'task.cancel', verb: 'cancel', data: options.reason ? { reason: options.reason } : {} },
          output,
        ),
      ),
  );
}
