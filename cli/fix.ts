import type { Command } from 'commander';
import { v4 } from 'uuid';
import { allowInState, forbidInState, readAllowed, without } from '../config/allowed.ts';
import { span } from '../observability/span.ts';
import { viewOf } from '../observability/task-view.ts';
import { taskIdOf } from '../schemas/envelope.ts';
import { requireValid } from './asking.ts';
import { withMesh } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { readGoal, readText } from './given-text.ts';
import { requireCommand, requireOwnRepository } from './own-repository.ts';
import { requireOwnModels } from './require-models.ts';
import { requestOf, submitTask, unattendedOption, withBounds, type TaskOptions } from './submission.ts';
import { verb } from './verb.ts';

interface Options extends TaskOptions {
  plan?: boolean;
  watch: boolean;
}

export function registerFix(program: Command): void {
  const command = program
    .command('fix')
    .summary('work on a repository of yours, with the running mesh')
    .description(
      'Allows the repository and the commands that you name here, submits the task and follows it to its end. Work goes on in worktrees of its own, on branch `switchyard/TASK`, from the commit that is checked out: uncommitted changes are left as they are and left out of the work. Nothing is merged until `apply`.',
    )
    .argument('<dir>', 'the git repository', readText)
    .option('--goal <text>', 'what is wanted; left out: that the tests pass', readGoal)
    .option('--test <command>', 'how to test; allows this command', readText)
    .option('--setup <command>', 'makes a fresh worktree ready, with network; allows this command', readText)
    .option('--plan', 'let the planner divide the goal into work items first; else it is one item')
    .option('--approve-plan', 'with --plan: pause until you approve the plan')
    .option(...unattendedOption)
    .option('--no-watch', 'print the id and exit')
    .option('--verbose', 'also the inside of model calls');
  verb<Options>(
    withBounds(command),
    [
      ['fix . --test "npm test"', 'make the tests of this repository pass'],
      [
        'fix /srv/code/app --goal "Accept ISO dates" --test "npm test" --setup "npm ci"',
        'with dependencies to install',
      ],
      ['fix . --goal "Split the parser" --test "npm test" --plan --approve-plan', 'see the plan first'],
    ],
    async ({ options, environment, output }, directory) => {
      const { test, setup } = options;
      if (options.approvePlan && !options.plan)
        throw new CommandError('--approve-plan goes with --plan', 'add --plan', exitCodes.usage);
      const request = requestOf(directory!, options, options.plan ? 'planner' : 'single');
      requireValid('task.submit', request);
      request.repository = requireOwnRepository(request.repository);
      requireCommand('--test', test);
      requireCommand('--setup', setup);
      return withMesh({ options, environment }, async (mesh) => {
        const { client, stateDirectory } = mesh;
        requireOwnModels(mesh, request.repository);
        const before = readAllowed(stateDirectory);
        const after = allowInState(stateDirectory, { repository: request.repository, test, setup });
        const identity = { source: '/switchyard/cli', id: v4() };
        const submission = { request, identity, isWatched: options.watch, isVerbose: options.verbose };
        const code = await submitTask(mesh, submission, output);
        if (code !== exitCodes.unsuccessful) return code;
        const { state } = viewOf(await client.read(taskIdOf(identity)));
        const added = without(after, before);
        if (state !== 'rejected' || Object.values(added).every((list) => list.length === 0)) return code;
        forbidInState(stateDirectory, added);
        output.progress([[span('what was allowed for it is taken back', 'dim')]]);
        return code;
      });
    },
  );
}
