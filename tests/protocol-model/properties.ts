import { foldRun } from './coder.ts';
import { inputParts } from './inputs.ts';
import { foldTask, hasEnded } from './manager.ts';
import { openIntent } from './roles.ts';
import type { InForce } from './rules.ts';
import { type Configuration, type Event, type State, journalIn } from './state.ts';

/** Says what is wrong with appending `event` to a journal of `state`, if anything is. */
export function wrongAppend(state: State, name: string, event: Event, inForce: InForce): string | undefined {
  const journal = journalIn(state, name);
  if (event.outdated) return `${event.outdated}, no longer current, moved ${name} (${event.type})`;
  if (name === 'task') {
    const task = foldTask(journal);
    if (hasEnded(task)) return `${event.type} appended on the task after it was ${task.status}`;
    if (task.handled.has(event.input)) return `'${event.input}' was decided twice`;
    return undefined;
  }
  if (name.startsWith('route')) return journal.length > 0 ? `${name} was decided twice` : undefined;
  const intent = openIntent(name, journal);
  const isDeclared = name.startsWith('run') || inForce('a call declares an intent');
  if (event.type === 'resulted' && isDeclared) {
    if (intent?.act !== event.closes) return `the result of ${event.closes} was committed for ${intent?.act}`;
    if (intent?.epoch !== event.epoch) return `a result of a superseded epoch was committed on ${name}`;
  }
  if (name.startsWith('call')) {
    const isAnswered = journal.some((one) => one.type === 'resulted');
    return isAnswered ? `${event.type} appended on ${name} after its answer` : undefined;
  }
  if (foldRun(journal).concluded) return `${event.type} appended on ${name} after its conclusion`;
  if (state.stopsAcked[name] && event.concluded !== 'stopped') {
    return `${event.type} appended on ${name} after its stop was handled`;
  }
  return undefined;
}

/** Says what is wrong with having performed `act` once more, if anything is; `state` already counts it. */
export function wrongAct(
  state: State,
  act: string,
  input: string,
  configuration: Configuration,
): string | undefined {
  const times = state.performed[act]!;
  const ended = state.leasesEnded[input] ?? 0;
  if (times > 1 && configuration.isOpaque && act.startsWith('tool')) return `opaque ${act} performed twice`;
  if (times > 1 + ended) return `${act} performed ${times} times, with ${ended} leases ended`;
  return undefined;
}

/** Says what is wrong with a state in which nothing is left to do, if anything is. */
export function wrongRest(state: State): string | undefined {
  const task = foldTask(journalIn(state, 'task'));
  if (!hasEnded(task) && task.status !== 'paused')
    return `stuck: the task is ${task.status} and nothing moves`;
  if (state.published['cancel'] && !hasEnded(task)) return `a cancel was lost: the task is ${task.status}`;
  for (const [name, journal] of Object.entries(state.journals)) {
    if (!name.startsWith('run')) continue;
    const { concluded } = foldRun(journal);
    if (!concluded) return `orphan: ${name} is open though the task is ${task.status}`;
    const hasLeaseEnded = Object.keys(state.leasesEnded).some((input) => inputParts(input).kind === 'answer');
    if (concluded === 'indeterminate' && !hasLeaseEnded)
      return `${name} is indeterminate though no lease ended`;
  }
  return undefined;
}
