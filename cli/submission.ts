import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { SubmitRequest } from '../schemas/request.ts';
import type { DataOf } from '../schemas/catalogue.ts';
import { shortType, taskIdOf } from '../schemas/envelope.ts';
import { span, type Span } from '../observability/span.ts';
import { shortId } from '../observability/wording.ts';
import { readCount, readCountFromOne, readDollars, readDurationFromSecond } from './amount.ts';
import { askAndWait, sayQueued } from './asking.ts';
import type { Connection } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { followTask } from './follow.ts';
import { untilInterrupted } from './interrupts.ts';
import type { Output } from './output.ts';

/** What `fix` and `submit` ask for in the same words. */
export interface TaskOptions {
  goal?: string;
  test?: string;
  setup?: string;
  approvePlan?: boolean;
  unattended?: boolean;
  verbose?: boolean;
  model?: string;
  hops?: number;
  cycles?: number;
  steps?: number;
  attempts?: number;
  budget?: number;
  deadline?: number;
}

/** The options by which a task asks for tighter bounds than the configured ones. */
export function withBounds(command: Command): Command {
  return command
    .option('--model <name>', 'a configured model, for every role')
    .option('--hops <count>', 'at most so many hand-offs between agents within a work item', readCount)
    .option('--cycles <count>', 'at most so many review cycles', readCount)
    .option('--steps <count>', 'at most so many model and tool calls within a run', readCountFromOne)
    .option('--attempts <count>', 'at most so many red test runs within a run', readCountFromOne)
    .option('--budget <dollars>', 'at most so much for models', readDollars)
    .option('--deadline <time>', 'at most so long, such as 30m', readDurationFromSecond);
}

/** Of each command that asks for a task. */
export const unattendedOption = [
  '--unattended',
  'nobody is there to be asked (CI, cron): the task fails, exit 5, where it would be paused',
] as const;

/** The request for a task. A repository is named from where the command is typed, and asked for by its whole path. */
export function requestOf(
  directory: string,
  options: TaskOptions,
  plan: SubmitRequest['plan'],
): SubmitRequest {
  const { goal, test, setup, approvePlan, unattended } = options;
  return {
    repository: resolve(directory),
    ...(goal === undefined ? {} : { goal }),
    ...(test === undefined ? {} : { test }),
    ...(setup === undefined ? {} : { setup }),
    ...(plan ? { plan } : {}),
    ...(approvePlan ? { approvePlan } : {}),
    ...(unattended ? { unattended } : {}),
    ...boundsOf(options),
  };
}

function boundsOf(options: TaskOptions): Pick<SubmitRequest, 'model' | 'limits'> {
  const { model, hops, cycles, steps, attempts, budget, deadline } = options;
  const limits = { hops, cycles, steps, attempts, budgetMicroDollars: budget, deadlineMs: deadline };
  const given = Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
  return { ...(model ? { model } : {}), ...(Object.keys(given).length > 0 ? { limits: given } : {}) };
}

export interface Submission {
  request: SubmitRequest;
  identity?: { source: string; id: string };
  isWatched: boolean;
  isVerbose?: boolean | undefined;
}

/** Submits a task and says what became of it: its id once accepted, every reason when rejected, or all of it to its end. */
export async function submitTask(mesh: Connection, submission: Submission, output: Output): Promise<number> {
  const { client } = mesh;
  const { identity, request } = submission;
  const before = identity ? await client.read(taskIdOf(identity)) : [];
  const answer = await askAndWait(mesh, 'task.submit', request, identity);
  const { taskId } = answer;
  if (answer.came === 'nothing' && answer.view.events === 0)
    throw new CommandError(
      'the manager could not handle the request, so there is no task',
      './switchyard dead list says why',
    );
  const known = before.find((one) => shortType(one.event.type) === 'task.accepted');
  if (known) output.progress(knownText(request, known.event.data as DataOf<'task.accepted'>));
  if (submission.isWatched) {
    output.progress([[span(`task ${taskId}`, 'dim')]]);
    return untilInterrupted((signal) =>
      followTask(client, taskId, {
        output,
        signal,
        isVerbose: submission.isVerbose ?? false,
      }),
    );
  }
  if (answer.came === 'queued') return sayQueued(answer.managers, taskId, 'submit', output);
  const { view } = answer;
  if (view.state === 'rejected') {
    output.progress([[span('rejected:', 'bad')], ...view.reasons.map((reason) => [span(`  ${reason}`)])]);
    output.result({ taskId, state: view.state, reasons: view.reasons }, taskId);
    return exitCodes.unsuccessful;
  }
  output.progress([
    [
      span(known ? 'follow it with: ' : 'accepted; follow it with: ', 'dim'),
      span(`./switchyard watch ${shortId(taskId)}`, 'accent'),
    ],
    ...(known ? [] : view.notes).map((note) => [span(`  ${note}`, 'warn')]),
  ]);
  output.result({ taskId, state: view.state, notes: view.notes }, taskId);
  return exitCodes.done;
}

/** A request that was made before is the same task; where it asks for something else now, nothing comes of that. */
function knownText(request: SubmitRequest, accepted: DataOf<'task.accepted'>): Span[][] {
  const { goal, repository, test, setup, model, unattended = false } = accepted;
  const differs = [
    ...(request.goal !== undefined && request.goal !== goal ? ['goal'] : []),
    ...(realPathOf(request.repository) !== repository.path ? ['repository'] : []),
    ...(request.test !== test ? ['test command'] : []),
    ...(request.setup !== setup ? ['setup command'] : []),
    ...(request.model !== model ? ['model'] : []),
    ...((request.unattended ?? false) !== unattended ? ['attendance'] : []),
  ];
  return [
    [span('known already: this source and id was submitted before, and is the same task')],
    ...(differs.length === 0
      ? []
      : [
          [
            span(
              `  it was asked for with another ${differs.join(' and ')}, which holds; a task of its own needs another --id`,
              'warn',
            ),
          ],
        ]),
  ];
}

function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
