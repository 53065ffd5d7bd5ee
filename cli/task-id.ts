import { CommandError } from './failure.ts';

/** A task as far as naming one goes; newest first. */
export interface Nameable {
  taskId: string;
}

const wholeId = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/**
 * The task that a person means: `latest`, a whole id (also of a task that is not accepted yet), or the unique start of
 * one. `tasks` come newest first. Throws CommandError with what there is.
 */
export async function readTaskId(given: string, tasks: () => Promise<Nameable[]>): Promise<string> {
  const text = given.trim().toLowerCase();
  if (wholeId.test(text)) return text;
  const known = await tasks();
  if (text === 'latest') {
    const [newest] = known;
    if (newest) return newest.taskId;
    throw new CommandError('there is no task yet', './switchyard submit --help');
  }
  const fitting = known.filter(({ taskId }) => taskId.startsWith(text));
  if (text !== '' && fitting.length === 1) return fitting[0]!.taskId;
  if (text === '' || fitting.length === 0)
    throw new CommandError(
      `no task begins with "${given}"`,
      './switchyard list shows all of them; `latest` is the newest',
    );
  throw new CommandError(
    `${fitting.length} tasks begin with "${given}": ${fitting
      .slice(0, 5)
      .map((one) => one.taskId)
      .join(', ')}`,
    'give more of the id',
  );
}
