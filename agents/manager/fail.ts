import { branchOf } from '../../schemas/branch.ts';
import type { DataOf } from '../../schemas/catalogue.ts';
import { quoteWord } from '../../schemas/command-line.ts';
import { noSpend } from '../../schemas/work.ts';
import type { PauseKind, PauseMore } from './pause.ts';
import type { Task } from './task.ts';

/** An unattended task ends where another is paused: why, what was reached, and how a person has it tried again. */
export function failureOf(
  task: Task,
  kind: PauseKind,
  reason: string,
  more: PauseMore,
): Omit<DataOf<'task.failed'>, 'given'> {
  const commit = more.commit ?? task.commit;
  const tests = more.tests ?? task.tests;
  return {
    kind,
    reason,
    mend: submitAgain(task),
    findings: more.findings ?? [],
    spend: more.spend ?? noSpend,
    // The branch is made by the first commit.
    ...(commit === task.repository!.baseCommit ? {} : { commit, branch: branchOf(task.taskId) }),
    ...(tests ? { tests } : {}),
  };
}

/** Longer goals, and those of several lines, are for the person to fill in. */
const mostGoalCharacters = 160;

/** The command that submits the same again, attended and within the configured bounds. */
function submitAgain({ goal, goalIsTests, repository, test, setup, items, model }: Task): string {
  const isShort = goal.length <= mostGoalCharacters && !/\p{Cc}/u.test(goal);
  const isUnplanned = items.length === 1 && items[0]!.goal === goal;
  return [
    `./switchyard submit --repo ${quoteWord(repository!.path)}`,
    ...(goalIsTests ? [] : [`--goal ${isShort ? quoteWord(goal) : '"..."'}`]),
    ...(test ? [`--test ${quoteWord(test)}`] : []),
    ...(setup ? [`--setup ${quoteWord(setup)}`] : []),
    ...(!goalIsTests && isUnplanned ? ['--plan single'] : []),
    ...(model ? [`--model ${quoteWord(model)}`] : []),
  ].join(' ');
}
