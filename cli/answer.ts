import type { Command } from 'commander';
import { askAboutTask } from './asking.ts';
import { withMesh } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { verb } from './verb.ts';

export function registerAnswer(program: Command): void {
  const command = program
    .command('answer')
    .summary('answer what a paused task asked')
    .description(
      'Tells a paused task what it asked, or what to do about the findings of its review; it goes on with that.',
    )
    .argument('<task>', 'its id, the start of it, or `latest`')
    .argument('<text>', 'the answer')
    .option('--watch', 'follow it to its end');
  verb<{ watch?: boolean }>(
    command,
    [
      ['answer latest "Meetings that only touch do not overlap"', 'answer the newest task'],
      ['answer 3f1c "Keep the old name" --watch', 'and follow it'],
    ],
    async ({ options, environment, output }, task, text) => {
      if (text!.trim() === '')
        throw new CommandError(
          'the answer is empty',
          `say what the task asked for: ./switchyard answer ${task} "..."`,
          exitCodes.usage,
        );
      return withMesh({ options, environment }, (mesh) =>
        askAboutTask(
          mesh,
          task!,
          { type: 'task.answer', verb: 'answer', data: { answer: text! }, isWatched: options.watch },
          output,
        ),
      );
    },
  );
}
