import { v4 } from 'uuid';
import { deriveId, message } from '../schemas/envelope.ts';
import { addWindow, modeScope, windowOf, type Mode, type ModeWindow } from '../schemas/observed.ts';
import { observedSubjects } from '../schemas/permissions.ts';
import { journalSubject, streamNames } from '../schemas/subject.ts';
import { BrokerError } from './errors.ts';
import { eventId, openJournals, type JournalOptions } from './journal.ts';

/** What is asked for: everyone, those of a role, or one process. */
export interface ModeRequest {
  mode: Mode;
  untilMs?: number;
  role?: string;
  process?: string;
}

export interface Modes {
  /** Switches, as the operator; those that it is for obey as soon as they hear it. Throws BrokerError. */
  set(request: ModeRequest): Promise<void>;
  /** Windows that are not over, the latest first. */
  windows(): Promise<ModeWindow[]>;
}

const mostRaces = 20;

/** The journals that say what the processes let out, for who looks after the mesh. */
export function openModes(
  options: Pick<JournalOptions<ModeWindow | undefined>, 'bus' | 'namespace' | 'log' | 'verify' | 'sign'>,
): Modes {
  const { bus, namespace } = options;
  const journals = openJournals<ModeWindow | undefined>({
    ...options,
    initial: undefined,
    evolve: (_before, { event }) => windowOf(event),
  });
  return {
    async set({ mode, ...scope }) {
      const { role, process } = scope;
      const id = modeScope({ role, process });
      const subject = journalSubject(namespace, { entity: 'mesh', taskId: 'mesh', role: 'mode', id });
      const inputId = v4();
      for (let attempt = 0; attempt < mostRaces; attempt += 1) {
        const tail = await journals.load(subject, true);
        const atMs = Date.now();
        // It belongs to no task; its scope stands for one.
        const owner = deriveId('mode', subject);
        const lineage = { taskId: owner, correlationId: owner, causationId: inputId, hop: 0, cyclesLeft: 0 };
        const event = message(
          'mesh.mode',
          eventId(subject, inputId, tail.count, 'mesh.mode'),
          'operator',
          'record',
          lineage,
          atMs,
          {
            given: { atMs, inputId, process: 'operator' },
            mode,
            ...scope,
            // Only the last event of a journal is looked at, so it says what the ones before it ended.
            ...(mode === 'debug' && tail.state?.endsBeforeMs !== undefined
              ? { endsBeforeMs: tail.state.endsBeforeMs }
              : {}),
          },
        );
        if (await journals.append(subject, tail, event)) return;
      }
      throw new BrokerError('the mode could not be stored', 'look at the broker with ./switchyard doctor');
    },
    async windows() {
      const found = new Map<string, ModeWindow>();
      for (const filter of observedSubjects(namespace)) {
        const info = await bus.manager.streams.info(streamNames(namespace).events, {
          subjects_filter: filter,
        });
        for (const subject of Object.keys(info.state.subjects ?? {})) {
          const { state } = await journals.load(subject, true);
          if (state) addWindow(found, state);
        }
      }
      return [...found.values()]
        .filter(({ untilMs }) => untilMs === undefined || untilMs > Date.now())
        .toSorted((one, other) => other.sinceMs - one.sinceMs);
    },
  };
}
