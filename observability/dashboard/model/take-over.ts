import { durationText, offsetText } from '../../wording.ts';
import type { TaskRecord } from './task-record.ts';

/** That a process died at work, and who went on, in words. */
export interface ToldTakeOver {
  died: string;
  wentOn: string;
}

/** The last time until the event at `cursor` that a process died and another went on; undefined where none did. */
export function takeOverAt({ track, views }: TaskRecord, cursor: number): ToldTakeOver | undefined {
  const crash = track.incidents.findLast((one) => one.sign === 'crash' && one.index <= cursor);
  const view = views[crash?.index ?? -1];
  const one = view?.takeOvers.at(-1);
  if (!crash || !view || !one) return undefined;
  const node = track.byId.get(track.nodeOfEvent[crash.index] ?? '');
  const isFoundDone = node?.incidents.some(
    ({ sign, index }) => sign === 'resumed' && index > crash.index && index <= cursor,
  );
  const count = view.takeOvers.length;
  const before = count > 1 ? `${count} processes died so far; the last: ` : '';
  const doing =
    one.what === 'call'
      ? `inference worker died while it answered the ${node?.role ?? 'run'}`
      : `${one.role} died during ${node?.label ?? 'its work'}`;
  const when = `at ${offsetText(one.atMs - view.startedAtMs)}, ${durationText(one.afterMs)} after that step began`;
  return {
    died: `${before}${doing}`,
    wentOn: `another went on ${when}${isFoundDone ? ', found it done and repeated nothing' : ''}`,
  };
}
