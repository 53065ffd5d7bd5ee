import { appends } from './append.ts';
import { isLastStep } from './coder.ts';
import { consider } from './consider.ts';
import { inputParts } from './inputs.ts';
import { type Mesh, type Transition, spell } from './mesh.ts';
import { wrongAct } from './properties.ts';
import { publish } from './publish.ts';
import {
  type Process,
  type State,
  atRest,
  heldBy,
  journalIn,
  more,
  spend,
  withMessage,
  withProcess,
} from './state.ts';

/** Every step that the shells of a mesh may take, and each fault that an append or a relay may meet. */
export function steps(mesh: Mesh, state: State): Transition[] {
  const seen = new Set<string>();
  return state.processes.flatMap((process, index) => {
    // Two idle processes of a role are alike: one of them is enough.
    const alike = process.next === 'take' ? process.role : `process ${index}`;
    if (seen.has(alike)) return [];
    seen.add(alike);
    return stepsOf(mesh, state, process, index);
  });
}

function stepsOf(mesh: Mesh, state: State, process: Process, index: number): Transition[] {
  switch (process.next) {
    case 'take':
      return state.messages.flatMap((message) => takes(mesh, state, index, message));
    case 'append':
    case 'append result':
      return appends(mesh, state, process, index);
    case 'act':
      return acts(mesh, state, process, index);
    case 'ack early': {
      const to = ack(
        withProcess(state, index, { ...process, next: 'relay and ack', hasAcked: true }),
        process,
      );
      return [{ to, says: `${process.role} acks ${spell(process.delivery!)} before relaying` }];
    }
    case 'relay and ack':
      return relaysOrAcks(state, process, index);
  }
}

function takes(mesh: Mesh, state: State, index: number, message: State['messages'][number]): Transition[] {
  const { role, journal: name } = inputParts(message.input);
  const { configuration } = mesh;
  const isUnserved =
    configuration.isFirstPoolEmpty && message.input.startsWith('ask') && message.input.endsWith('.1');
  if (message.isHeld || isUnserved || state.processes[index]!.role !== role) return [];
  const length = journalIn(state, name).length;
  const held = { ...message, isHeld: true };
  const { isHeld: _, ...delivery } = held;
  const transitions: Transition[] = [];
  // A process that has served this journal before may still hold any older prefix of it.
  for (let read = length; read >= Math.min(length, 1); read--) {
    const isStale = read < length;
    if (isStale && state.left.stale === 0) break;
    const taken = withMessage(isStale ? spend(state, 'stale') : state, message, held);
    const taker: Process = { role, next: 'take', delivery };
    const considered = consider(mesh, taken, taker, index, read);
    if (considered.isPutBack) continue; // It stays where it is until something else has changed.
    const cache = isStale ? ` with a cache of ${read} of ${length} events` : '';
    transitions.push({
      to: considered.to,
      says: `${role} takes ${spell(message)}${cache}: ${considered.says}`,
      isFault: isStale,
    });
  }
  return transitions;
}

function acts({ configuration }: Mesh, state: State, process: Process, index: number): Transition[] {
  const { input } = process.delivery!;
  const act = process.act!;
  const mayEndRed =
    configuration.mayEndRed &&
    act.startsWith('tool') &&
    isLastStep(configuration, journalIn(state, inputParts(input).journal));
  return (mayEndRed ? (['green', 'red'] as const) : [undefined]).map((outcome) => {
    const performed = more(state.performed, act);
    const to = withProcess({ ...state, performed }, index, { ...process, next: 'append result', outcome });
    const says = `${process.role} (${spell(process.delivery!)}) PERFORMS ${act}${outcome ? `: ${outcome}` : ''}`;
    return { to, says, wrong: wrongAct(to, act, input, configuration) };
  });
}

function relaysOrAcks(state: State, process: Process, index: number): Transition[] {
  const [first, ...owed] = process.owed!;
  const who = `${process.role} (${spell(process.delivery!)})`;
  if (first !== undefined) {
    return publish(withProcess(state, index, { ...process, owed }), first).map(({ to, says, isFault }) => ({
      to,
      says: `${who} relays ${says}`,
      isFault,
    }));
  }
  const rested = withProcess(state, index, atRest(process));
  if (process.hasAcked) return [{ to: rested, says: `${who} is done` }];
  const late = heldBy(state, process.delivery!) ? '' : ' late';
  return [{ to: ack(rested, process), says: `${who} acks${late}` }];
}

/** An ack deletes the message, however late it comes and whoever holds the message by then. */
function ack(state: State, { delivery }: Process): State {
  const { kind, journal } = inputParts(delivery!.input);
  const messages = state.messages.filter(
    ({ input, copy }) => input !== delivery!.input || copy !== delivery!.copy,
  );
  const stopsAcked = kind === 'stop' ? more(state.stopsAcked, journal) : state.stopsAcked;
  return { ...state, messages, stopsAcked };
}
