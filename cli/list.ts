import { Option, type Command } from 'commander';
import { span, type Span } from '../observability/span.ts';
import { viewOf, type TaskView } from '../observability/task-view.ts';
import { durationText, moneyText } from '../observability/wording.ts';
import { readCount } from './amount.ts';
import { withMesh } from './connection.ts';
import { endingData } from './ending.ts';
import { exitCodes } from './exit-codes.ts';
import { tableOf } from './table.ts';
import { verb } from './verb.ts';

const states = ['running', 'waiting', 'paused', 'completed', 'failed', 'cancelled', 'rejected'] as const;

/** Whole records in memory at a time; of each only the view is kept. */
const readAtOnce = 8;

export function registerList(program: Command): void {
  const command = program
    .command('list')
    .summary('list tasks')
    .description('Lists tasks, the newest first.')
    .addOption(new Option('--state-is <state>', 'only tasks in this state').choices(states))
    .option('--limit <count>', 'at most so many; 0 for all', readCount, 20);
  verb<{ stateIs?: TaskView['state']; limit: number }>(
    command,
    [
      ['list', 'the newest twenty'],
      ['list --state-is paused', 'those that need a person'],
      ['list --limit 0 --json', 'all, for a program'],
    ],
    ({ options, environment, output }) =>
      withMesh({ options, environment }, async ({ client }) => {
        // The task's own journal tells its state; what its runs met, and who answered, stands in theirs.
        const views = (await client.taskJournals()).map(({ events }) => viewOf(events));
        const fitting = views.filter(
          (view) => options.stateIs === undefined || view.state === options.stateIs,
        );
        const shown: TaskView[] = [];
        const wanted = options.limit === 0 ? fitting : fitting.slice(0, options.limit);
        for (let from = 0; from < wanted.length; from += readAtOnce) {
          const some = wanted.slice(from, from + readAtOnce);
          shown.push(
            ...(await Promise.all(some.map(async ({ taskId }) => viewOf(await client.read(taskId))))),
          );
        }
        const nowMs = Date.now();
        const rows = tableOf(
          ['task', 'state', 'item', 'role', 'hop', 'cycles left', 'spent', 'age', 'goal'],
          shown.map((view) => rowOf(view, nowMs)),
        );
        const left = fitting.length - shown.length;
        output.result(
          shown.map((view) => endingData(view, nowMs)),
          shown.length === 0
            ? 'no tasks'
            : [...rows, ...(left > 0 ? [[span(`and ${left} more: --limit 0`, 'dim')]] : [])],
        );
        return exitCodes.done;
      }),
  );
}

export function rowOf(view: TaskView, nowMs: number): Span[] {
  const tone = {
    completed: 'good',
    paused: 'warn',
    waiting: 'warn',
    failed: 'bad',
    rejected: 'bad',
    cancelled: 'dim',
    running: 'accent',
    queued: 'dim',
  } as const;
  const { work, limits } = view;
  return [
    span(view.taskId.slice(0, 8)),
    span(view.state, tone[view.state]),
    span(
      !work
        ? ''
        : work.itemIndex < 0
          ? 'plan'
          : `${work.itemIndex + 1}/${Math.max(work.itemCount, work.itemIndex + 1)}`,
    ),
    span(work?.role ?? ''),
    span(work && limits ? `${work.hop}/${limits.hops}` : ''),
    span(work && limits ? `${work.cyclesLeft}/${Math.max(limits.cycles, work.cyclesLeft)}` : ''),
    span(moneyText(view.spend.costMicroDollars)),
    span(durationText(nowMs - view.startedAtMs)),
    span(
      `${view.isScripted ? '(scripted) ' : ''}${view.state === 'rejected' ? (view.reasons[0] ?? '') : view.goal}`,
      'plain',
      60,
    ),
  ];
}
