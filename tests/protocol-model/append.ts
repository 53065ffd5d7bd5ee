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
  const claim = claimOf(delivery);
  const read = journal.slice(0, process.read);
  const event = process.event ?? resultOf(process, claim, read, configuration);
  const says = `${process.role} (${spell(delivery)}) appends ${spellEvent(event)} on ${name}`;
  const isUncleanTrusted = !inForce('unclean append decides again');

  if (process.read !== journal.length && inForce('compare and set')) {
    if (isUncleanTrusted) {
      const to = afterAppend(mesh, state, process, index, event);
      return [{ to, says: `${says}: loses the race, and takes it for stored` }];
    }
    const then = afterUnclean(mesh, state, process, index);
    return [{ to: then.to, says: `${says}: loses the race, ${then.says}` }];
  }

  const stored = withEvent(state, name, event);
  const wrong = wrongAppend(state, name, event, inForce);
  const clean = { to: afterAppend(mesh, stored, process, index, event), says, wrong };
  if (state.left.ambiguous === 0) return [clean];
  if (isUncleanTrusted) {
    const to = afterAppend(mesh, spend(state, 'ambiguous'), process, index, event);
    return [clean, { to, says: `${says}: NOT stored, and taken for stored`, isFault: true }];
  }
  // Stored, but answered with an error. (An error with nothing stored only decides the same again.)
  const then = afterUnclean(mesh, spend(stored, 'ambiguous'), process, index);
  return [clean, { to: then.to, says: `${says}, gets an ERROR: ${then.says}`, isFault: true, wrong }];
}

/** Folds again; a result whose intent is still mine is appended again, and anything else decided again. */
function afterUnclean(
  mesh: Mesh,
  state: State,
  process: Process,
  index: number,
): { to: State; says: string } {
  const { input } = process.delivery!;
  const { journal: name } = inputParts(input);
  const journal = journalIn(state, name);
  if (process.next === 'append result') {
    const now = openIntent(name, journal);
    const mine = { input, act: process.act!, claim: claimOf(process.delivery!), epoch: process.epoch! };
    const fenced = fencedBy(now && asOpenIntent(now, false), asOpenIntent(mine, false));
    const isUndeclared = process.epoch === 0 && journal.length === 0;
    if (fenced === 'mine' || isUndeclared) {
      if (!mesh.inForce('fenced only by epoch')) {
        return { to: withProcess(state, index, atRest(process)), says: 'throws its result away' };
      }
      const to = withProcess(state, index, { ...process, read: journal.length });
      return { to, says: 'still owns the intent' };
    }
  }
  return consider(mesh, state, process, index, journal.length);
}

/** What follows for a process that takes `event` for stored. */
function afterAppend(mesh: Mesh, state: State, process: Process, index: number, event: Event): State {
  const { role, delivery, isZombie } = process;
  const base = { role, delivery, isZombie };
  const { journal: name } = inputParts(delivery!.input);
  const journal = journalIn(state, name);
  const act = event.type === 'taken over' ? openIntent(name, journal)?.act : event.opens;
  if (act) {
    const epoch = event.type === 'taken over' ? event.epoch : 1;
    return withProcess(state, index, { ...base, next: 'act', act, epoch, read: journal.length });
  }
  const owed = outbox(name, journal, mesh.configuration, mesh.inForce);
  const next = mesh.inForce('ack after relay') ? 'relay and ack' : 'ack early';
  return withProcess(state, index, { ...base, next, owed });
}
