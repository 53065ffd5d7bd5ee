import type { Command } from 'commander';
import { readDuration } from './amount.ts';
import { withMesh } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { followTask } from './follow.ts';
import { untilInterrupted } from './interrupts.ts';
import { readTaskId } from './task-id.ts';
import { verb } from './verb.ts';
import { openWatchScreen } from './watch-screen.ts';

export function registerWatch(program: Command): void {
  const command = program
    .command('watch')
    .summary('follow a task to its end')
    .description(
      'Shows what happened in a task so far, then what happens, until it ends or a person is needed; exits by its end. Ctrl-C ends the watching, not the task. On a terminal one screen is redrawn meanwhile, and all lines are printed at the end; elsewhere each line is printed as it comes.',
    )
    .argument('[task]', 'its id, the start of it, or `latest`', 'latest')
    .option('--verbose', 'also the inside of model calls')
    .option('--timeout <time>', 'stop watching after this time (exit code 3)', readDuration);
  verb<{ verbose?: boolean; timeout?: number; state?: string }>(
    command,
    [
      ['watch', 'the newest task'],
      ['watch 3f1c', 'the task whose id begins with 3f1c'],
      ['watch latest --json', 'events as JSON lines; the last line is the result'],
    ],
    ({ options, environment, output }, given) =>
      withMesh({ options, environment }, async ({ client }) => {
        const taskId = await readTaskId(given!, () => client.taskJournals());
        const until = options.timeout === undefined ? Infinity : Date.now() + options.timeout;
        const code = await untilInterrupted(
          (signal) =>
            followTask(client, taskId, {
              output,
              signal,
              screen: openWatchScreen(process.stderr, environment, options.state),
              isVerbose: options.verbose ?? false,
            }),
          options.timeout,
        );
        return code === exitCodes.interrupted && Date.now() >= until ? exitCodes.cancelled : code;
      }),
  );
}
