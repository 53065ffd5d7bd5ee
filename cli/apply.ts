import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { openArtifacts } from '../bus/artifacts.ts';
import { span } from '../observability/span.ts';
import { viewOf, type TaskView } from '../observability/task-view.ts';
import { countText, shortId } from '../observability/wording.ts';
import { advanceBranch, applyBranch, publishBranch } from '../tools/branch.ts';
import { bringCommit } from '../tools/carry.ts';
import { exitCodeOf, whatApplies } from './ending.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { withRecord } from './stored-record.ts';
import { readTaskId } from './task-id.ts';
import { verb } from './verb.ts';

export function registerApply(program: Command): void {
  const command = program
    .command('apply')
    .summary('merge what a completed task did')
    .description(
      'Merges the branch of a completed task into what is checked out in its repository: a fast-forward where that is possible, else a merge commit. Refuses, and changes nothing, where uncommitted changes are in the way or where both sides changed the same lines. No mesh needs to run for it.',
    )
    .argument('<task>', 'its id, the start of it, or `latest`');
  verb(
    command,
    [
      ['apply latest', 'merge the newest task'],
      ['apply 3f1c', 'merge the task whose id begins with 3f1c'],
    ],
    ({ options, environment, output }, given) =>
      withRecord({ options, environment, output }, async ({ client, stateDirectory, namespace }) => {
        const taskId = await readTaskId(given!, () => client.taskJournals());
        const view = viewOf(await client.read(taskId));
        const { repository, baseCommit, commit } = requireCompleted({ ...view, taskId });
        // The branch follows the record, also where the process that should have moved it died or worked elsewhere.
        const { get } = openArtifacts(client.bus, namespace);
        const { mirror } = await bringCommit({ stateDirectory, repository, baseCommit, commit, get });
        await advanceBranch(mirror, taskId, commit);
        const published = await publishBranch({ mirror, repository, taskId });
        if (!published.published) throw new CommandError(published.reason);
        const applied = await applyBranch({ repository, taskId });
        if (!applied.applied) {
          const files = applied.files.length > 0 ? ` (${applied.files.join(', ')})` : '';
          throw new CommandError(`nothing was merged into ${repository}: ${applied.reason}${files}`);
        }
        const how = {
          fast_forward: 'fast-forward',
          merge: 'merge commit',
          already_there: 'it was there already',
        }[applied.how];
        output.result({ taskId, repository, ...applied }, [
          [
            span('applied', 'good'),
            span(
              ` to ${repository}: ${how}, now at ${shortId(applied.commit)}, ${countText(applied.files.length, 'file')} changed`,
            ),
          ],
          ...applied.files.map((file) => [span(`  ${file}`)]),
        ]);
        return exitCodes.done;
      }),
  );
}

/** Throws CommandError with what to do for a task in its state. */
export function requireCompleted(view: TaskView): { repository: string; baseCommit: string; commit: string } {
  if (view.events === 0) throw new CommandError(`there is no task ${view.taskId}`, './switchyard list');
  if (view.state !== 'completed' || !view.repository || !view.commit) {
    const byHand =
      view.branch && view.commit ? `; what there is can be merged by hand: git merge ${view.branch}` : '';
    const goesOn = exitCodeOf(view) === undefined;
    throw new CommandError(
      `the task is ${view.state}, and only a completed one is applied${byHand}`,
      goesOn
        ? `./switchyard watch ${view.taskId} waits for its end (after ./switchyard up, where no mesh runs)`
        : whatApplies(view).join('   or   '),
    );
  }
  const { path, baseCommit } = view.repository;
  if (!existsSync(path))
    throw new CommandError(
      `the repository ${path} is not there any more`,
      'apply it on the machine that holds the repository',
    );
  return { repository: path, baseCommit, commit: view.commit };
}
