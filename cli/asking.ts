import type { Recorded } from '../bus/client.ts';
import type { DataOf, TypeName } from '../schemas/catalogue.ts';
import { shortType } from '../schemas/envelope.ts';
import { dataProblems } from '../schemas/validate.ts';
import { span } from '../observability/span.ts';
import { advanceView, viewOf, type TaskView } from '../observability/task-view.ts';
import { lineOf } from '../observability/timeline.ts';
import type { Connection } from './connection.ts';
import { whatApplies } from './ending.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { followTask } from './follow.ts';
import { untilInterrupted } from './interrupts.ts';
import { linesText, type Output } from './output.ts';
import { readTaskId } from './task-id.ts';

/** How long the manager has to say what came of a request. */
const patienceMs = 10_000;
const lookMs = 100;

/** What came of a request from outside. */
export type Answer =
  | { came: 'event'; event: Recorded; view: TaskView }
  | { came: 'nothing'; view: TaskView }
  | { came: 'queued'; managers: number };

/** Throws a usage error with everything that is wrong with a request before it is sent. */
export function requireValid(type: TypeName, data: unknown): void {
  const problems = dataProblems(type, data);
  if (problems.length > 0)
    throw new CommandError(
      problems.join('; '),
      `./switchyard ${type.slice('task.'.length)} --help`,
      exitCodes.usage,
    );
}

/** Asks, and waits until the manager has decided: the event that came of it, nothing, or that it still waits. */
export async function askAndWait<Name extends TypeName>(
  { client }: Connection,
  type: Name,
  data: DataOf<Name>,
  identity?: { source: string; id: string },
): Promise<Answer & { taskId: string }> {
  requireValid(type, data);
  const receipt = await client.request(type, data, identity);
  const { taskId } = receipt;
  const until = Date.now() + patienceMs;
  let managers: number | undefined;
  // The inbox is a work queue: a request that is gone from it has been decided on.
  while (await client.isWaiting(receipt.sequence)) {
    managers ??= (await client.living()).filter((one) => one.role === 'manager').length;
    if (managers === 0 || Date.now() >= until) return { came: 'queued', managers, taskId };
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
  const events = await client.read(taskId);
  const isMine = (one: Recorded) =>
    type === 'task.submit'
      ? ['task.accepted', 'task.rejected', 'task.cancelled'].includes(shortType(one.event.type))
      : (one.event.data as { given?: { inputId?: string } }).given?.inputId === receipt.eventId;
  const event = events.find(isMine);
  return event
    ? { came: 'event', event, view: viewOf(events), taskId }
    : { came: 'nothing', view: viewOf(events), taskId };
}

export interface Asking<Name extends TypeName> {
  type: Name;
  /** What the request says beside the task's id. */
  data: Omit<DataOf<Name>, 'taskId'>;
  /** The verb, for what is said. */
  verb: string;
  isWatched?: boolean | undefined;
}

/** Asks for something about a task that is there, and says what came of it; resolves with the exit code. */
export async function askAboutTask<Name extends TypeName>(
  mesh: Connection,
  given: string,
  asking: Asking<Name>,
  output: Output,
): Promise<number> {
  const taskId = await readTaskId(given, () => mesh.client.taskJournals());
  const answer = await askAndWait(mesh, asking.type, { ...asking.data, taskId } as DataOf<Name>);
  switch (answer.came) {
    case 'queued':
      return sayQueued(answer.managers, taskId, asking.verb, output);
    case 'nothing':
      throw doesNotApply(asking.verb, { ...answer.view, taskId });
    case 'event': {
      const events = await mesh.client.read(taskId);
      // The line is that of the moment, not of what has happened since.
      const then = events
        .filter((one) => one.sequence < answer.event.sequence)
        .reduce(advanceView, viewOf([]));
      const line = lineOf(answer.event, advanceView(then, answer.event));
      const said = { taskId, event: shortType(answer.event.event.type), state: answer.view.state };
      if (!asking.isWatched) {
        output.result(said, linesText(line));
        return exitCodes.done;
      }
      return untilInterrupted((signal) => followTask(mesh.client, taskId, { output, signal }));
    }
  }
}

/** Durable, but not decided on yet. */
export function sayQueued(managers: number, taskId: string, verb: string, output: Output): number {
  const isAbsent = managers === 0;
  const why = isAbsent ? 'no manager is alive' : `no manager took it within ${patienceMs / 1000} s`;
  output.progress([
    [
      span(`${verb}: queued, nothing is lost: `, 'warn'),
      span(why),
      span('; it is decided on when one takes it'),
    ],
    ...(isAbsent ? [[span('  start one: ', 'dim'), span('./switchyard start manager', 'accent')]] : []),
  ]);
  output.result({ taskId, event: 'queued', managers }, taskId);
  return isAbsent ? exitCodes.done : exitCodes.cancelled;
}

function doesNotApply(verb: string, view: TaskView): CommandError {
  if (view.events === 0) return new CommandError(`there is no task ${view.taskId}`, './switchyard list');
  const why = view.pause
    ? `paused (${view.pause.kind.replaceAll('_', ' ')}: ${view.pause.reason})`
    : `${view.state}${view.isUnattended ? ' and unattended' : ''}`;
  return new CommandError(
    `${verb} does not apply: the task is ${why}. What does: ${whatApplies(view).join('   or   ')}`,
  );
}
