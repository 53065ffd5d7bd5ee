import { fencedBy } from '../../bus/claim.ts';
import { asOpenIntent, claimOf, consider } from './consider.ts';
import { inputParts } from './inputs.ts';
import { type Mesh, type Transition, spell, spellEvent } from './mesh.ts';
import { wrongAppend } from './properties.ts';
import { openIntent, outbox, resultOf } from './roles.ts';
import {
  type Event,
  type Process,
  type State,
  atRest,
  journalIn,
  spend,
  withEvent,
  withProcess,
} from './state.ts';

/** All that may come of the append that a process is about to make. */
export function appends(mesh: Mesh, state: State, process: Process, index: number): Transition[] {
  const { configuration, inForce } = mesh;
  const delivery = process.delivery!;
  const { journal: name } = inputParts(delivery.input);
  const journal = journalIn(state, name);
  const event =
    process.event ?? resultOf(process, delivery.input, journal.slice(0, process.read), configuration);
  const says = `${process.role} (${spell(delivery)}) appends ${spellEvent(event)} on ${name}`;
  const again = (from: State) => consider(mesh, from, process, index, journalIn(from, name).length);

  if (process.read === journal.length || !inForce('compare and set')) {
    const stored = withEvent(state, name, event);
    const wrong = wrongAppend(state, name, event, inForce);
    const transitions: Transition[] = [{ to: afterAppend(mesh, stored, process, index, event), says, wrong }];
    if (state.left.ambiguous === 0) return transitions;
    if (inForce('unclean append decides again')) {
      // Stored, but answered with an error. (An error with nothing stored only decides the same again.)
      const then = again(spend(stored, 'ambiguous'));
      transitions.push({ to: then.to, says: `${says}, gets an error: ${then.says}`, isFault: true, wrong });
    } else {
      const to = afterAppend(mesh, spend(state, 'ambiguous'), process, index, event);
      transitions.push({ to, says: `${says}: NOT stored, and taken for stored`, isFault: true });
    }
    return transitions;
  }

  if (!inForce('unclean append decides again')) {
    const to = afterAppend(mesh, state, process, index, event);
    return [{ to, says: `${says}: loses the race, and takes it for stored` }];
  }
  if (process.next === 'append result') {
    const now = openIntent(name, journal);
    const claim = claimOf(delivery);
    const mine = { input: delivery.input, act: process.act!, claim, epoch: process.epoch! };
    const isUndeclared = process.epoch === 0 && !journal.some((one) => one.type === 'resulted');
    const fenced = fencedBy(now && asOpenIntent(now, false), asOpenIntent(mine, false));
    if (fenced === 'mine' || isUndeclared) {
      if (inForce('fenced only by epoch')) {
        const to = withProcess(state, index, { ...process, read: journal.length });
        return [{ to, says: `${says}: loses the race, and still owns the intent` }];
      }
      const to = withProcess(state, index, atRest(process));
      return [{ to, says: `${says}: loses the race, and throws its result away` }];
    }
  }
  const then = again(state);
  return [{ to: then.to, says: `${says}: loses the race, ${then.says}` }];
}

/** What follows for a process that takes `event` for stored. */
function afterAppend(mesh: Mesh, state: State, process: Process, index: number, event: Event): State {
  const { role, delivery, isZombie } = process;
  const base = { role, delivery, isZombie };
  const { journal: name } = inputParts(delivery!.input);
  const journal = journalIn(state, name);
  if (event.type === 'intended' || event.type === 'taken over') {
    const act = event.act ?? openIntent(name, journal)?.act;
    if (act)
      return withProcess(state, index, {
        ...base,
        next: 'act',
        act,
        epoch: event.epoch,
        read: journal.length,
      });
  }
  const owed = outbox(name, journal, mesh.configuration, mesh.inForce);
  const next = mesh.inForce('ack after relay') ? 'relay and ack' : 'ack early';
  return withProcess(state, index, { ...base, next, owed });
}
