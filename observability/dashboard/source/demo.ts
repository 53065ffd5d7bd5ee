import type { RecordedEvent } from '../../task-view.ts';
import type { MeshSample } from '../model/mesh-history.ts';
import type { Store } from '../store.ts';
import { makeExamples } from './examples.ts';
import { generate } from './generated.ts';
import type { Source } from './source.ts';

/** A task that was recorded once, with what its mesh looked like. */
export interface Recording {
  /** When and with what it was recorded. */
  about: string;
  events: RecordedEvent[];
  samples: MeshSample[];
}

/**
 * `#demo`, or `#demo=5000` for a made-up task of so many steps in a list of so many tasks; in the address it stays as
 * `?demo`, which going from view to view leaves alone.
 */
export function demoAsked(hash: string, search: string): { steps: number; search: string } | undefined {
  const match = /^[#?]\/?demo(?:=(\d{0,5}))?$/.exec(hash) ?? /^\?demo(?:=(\d{0,5}))?$/.exec(search);
  if (!match) return undefined;
  const steps = Number(match[1] ?? 0);
  return { steps, search: steps > 0 ? `?demo=${steps}` : '?demo' };
}

/** Plays a recording by the same actions by which a mesh is followed. Resolves with the task that it is about. */
export async function playRecording(
  store: Store,
  steps: number,
  later: (work: () => void) => void,
): Promise<{ source: Source; taskId: string }> {
  const { default: loaded } = await import('../demo/recording.gen.json', { with: { type: 'json' } });
  const recording = loaded as unknown as Recording;
  const taskId = recording.events[0]!.event.subject!;
  store.dispatch({ do: 'link', link: { phase: 'demo' }, mesh: 'recorded' });
  store.dispatch({ do: 'list', tasks: [], isWhole: true });
  store.dispatch({ do: 'events', events: recording.events });
  for (const sample of recording.samples) store.dispatch({ do: 'mesh', sample });
  if (steps === 0) {
    for (const made of makeExamples(recording.events)) store.dispatch({ do: 'record', ...made });
    return { source: { kind: 'demo', openTask() {}, stop() {} }, taskId };
  }
  const made = generate(recording.events, steps);
  store.dispatch({ do: 'list', tasks: made.tasks, isWhole: true });
  later(() => store.dispatch({ do: 'record', taskId: made.taskId, events: made.events }));
  return { source: { kind: 'demo', openTask() {}, stop() {} }, taskId: made.taskId };
}
