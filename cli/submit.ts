import { Option, type Command } from 'commander';
import { withMesh } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { readGoal, readLine, readText } from './given-text.ts';
import { requireOwnModels } from './require-models.ts';
import { requestOf, submitTask, unattendedOption, withBounds, type TaskOptions } from './submission.ts';
import { verb } from './verb.ts';

interface Options extends TaskOptions {
  repo: string;
  plan?: 'single' | 'planner';
  source?: string;
  id?: string;
  watch?: boolean;
}

export function registerSubmit(program: Command): void {
  const command = program
    .command('submit')
    .summary('submit a task')
    .description(
      'Submits a task and prints its id. The repository and the commands must be allowed by the operator (allow in switchyard.yaml, or `fix`). The request is durable at once, also while no manager runs.',
    )
    .requiredOption(
      '--repo <dir>',
      'the git repository to work on; its uncommitted changes are left alone and left out',
      readText,
    )
    .option('--goal <text>', 'what is wanted; left out: that the tests pass', readGoal)
    .option('--test <command>', 'the test command', readText)
    .option('--setup <command>', 'makes a fresh worktree ready, such as "npm ci"', readText)
    .addOption(
      new Option('--plan <how>', 'one work item, or a planner run first').choices(['single', 'planner']),
    )
    .option('--approve-plan', 'pause after planning until you approve')
    .option(...unattendedOption)
    .option(
      '--source <uri>',
      'with --id: who asks; the same source and id is the same task, however often it is sent',
      readLine,
    )
    .option('--id <id>', "the request's own id", readLine)
    .option('--watch', 'follow the task to its end and exit by it')
    .option('--no-watch', 'print the id and exit (the default)')
    .option('--verbose', 'with --watch: also the inside of model calls');
  verb<Options>(
    withBounds(command),
    [
      ['submit --repo . --test "npm test"', 'make the tests pass'],
      ['submit --repo . --goal "Add a --quiet flag" --test "npm test" --watch', 'follow it to its end'],
      ['submit --repo . --goal "..." --plan planner --approve-plan', 'see the plan first'],
      ['submit --repo . --test "npm test" --source ci --id build-1234', 'safe to repeat'],
      ['submit --repo . --test "npm test" --unattended --watch', 'from a script, where nobody answers'],
      ['submit --repo . --test "npm test" --cycles 1 --budget 0.50 --deadline 15m', 'under tighter bounds'],
    ],
    async ({ options, environment, output }) => {
      if (options.source !== undefined && options.id === undefined)
        throw new CommandError('--source goes with --id', 'name the request: --id ID', exitCodes.usage);
      if (options.approvePlan && options.plan === 'single')
        throw new CommandError('--approve-plan goes with --plan planner', undefined, exitCodes.usage);
      const request = requestOf(options.repo, options, options.plan);
      const identity =
        options.id === undefined
          ? undefined
          : { source: options.source ?? '/switchyard/cli', id: options.id };
      return withMesh({ options, environment }, (mesh) => {
        requireOwnModels(mesh, request.repository);
        const submission = {
          request,
          isWatched: options.watch === true,
          isVerbose: options.verbose,
          ...(identity ? { identity } : {}),
        };
        return submitTask(mesh, submission, output);
      });
    },
  );
}
