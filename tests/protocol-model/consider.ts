import { type Claim, type Holder, type OpenIntent, resolveClaim } from '../../bus/claim.ts';
import type { Intent } from './decision.ts';
import { inputParts } from './inputs.ts';
import { type Mesh, spellEvent } from './mesh.ts';
import { decide, outbox } from './roles.ts';
import {
  type Delivery,
  type Event,
  type Input,
  type Process,
  type State,
  atRest,
  journalIn,
  withMessage,
  withProcess,
} from './state.ts';

// Time is left out: whoever meets an intent may have waited its lease out. What a lapse adds is that the
// holder no longer answers.
const leaseMs = 1;
const sinceDeclared = { nowMs: leaseMs, leaseMs };

export const claimOf = ({ copy, deliveries, forgotten }: Delivery): Claim => ({
  sequence: copy,
  deliveries,
  process: `taker ${forgotten + 1}`,
});

/** Folds `read` events, decides, and leaves the process with its next move. */
export function consider(
  mesh: Mesh,
  state: State,
  { role, delivery, isZombie }: Process,
  index: number,
  read: number,
): { to: State; says: string; isPutBack?: boolean } {
  const { configuration, inForce } = mesh;
  const { journal: name, kind, about } = inputParts(delivery!.input);
  const whole = journalIn(state, name);
  const base = { role, delivery, isZombie };
  const become = (process: Partial<Process>, says: string) => ({
    to: withProcess(state, index, { ...base, next: 'take', ...process }),
    says,
  });
  const relay = (owed: readonly Input[], says: string) =>
    become(
      { next: inForce('ack after relay') ? 'relay and ack' : 'ack early', owed },
      owed.length > 0 ? `${says}, owes ${owed.join(', ')}` : says,
    );
  const decision = decide({
    configuration,
    inForce,
    journal: whole.slice(0, read),
    input: delivery!.input,
    claim: claimOf(delivery!),
    referred: kind === 'conclusion' ? journalIn(state, `run ${about}`) : [],
  });
  switch (decision.do) {
    case 'append':
      return become(
        { next: 'append', event: decision.event, read },
        `will append ${spellEvent(decision.event)}`,
      );
    case 'act undeclared':
      return become({ next: 'act', act: decision.act, epoch: 0, read }, `will perform ${decision.act}`);
    case 'nothing':
      if (read < whole.length && inForce('nothing only on a fresh read')) {
        return consider(mesh, state, { ...base, next: 'take' }, index, whole.length);
      }
      return relay(
        inForce('relay what is owed') ? outbox(name, whole, configuration, inForce) : [],
        'nothing to decide',
      );
    case 'resume':
      break;
  }
  const { intent } = decision;
  const act = (epoch: number, says: string) => become({ next: 'act', act: intent.act, epoch, read }, says);
  const isOpaque = configuration.isOpaque && name.startsWith('run');
  switch (verdictOn(mesh, state, intent, delivery!, isOpaque)) {
    case 'act':
      return act(intent.epoch, `holds the intent, will perform ${intent.act}`);
    case 'acknowledge':
      return relay(outbox(name, whole, configuration, inForce), 'its owner is at work on another copy');
    case 'stay silent':
      if (!inForce('the fenced are silent')) return relay([], 'is fenced, will ack all the same');
      return {
        to: withProcess(state, index, atRest({ ...base, next: 'take' })),
        says: 'is fenced, stays silent',
      };
    case 'put back':
      return { ...putBack(state, delivery!, index, role), isPutBack: true };
    case 'take over': {
      const claim = claimOf(delivery!);
      const { input } = delivery!;
      const event: Event = isOpaque
        ? { type: 'concluded', input, concluded: 'indeterminate' }
        : { type: 'taken over', input, claim, epoch: intent.epoch + 1 };
      if (!isOpaque && !inForce('take over by an epoch'))
        return act(intent.epoch, `will perform ${intent.act} too`);
      return become({ next: 'append', event, read }, `will append ${spellEvent(event)}`);
    }
  }
}

function verdictOn(
  { inForce }: Mesh,
  state: State,
  intent: Intent,
  delivery: Delivery,
  isOpaque: boolean,
): 'act' | 'take over' | 'stay silent' | 'acknowledge' | 'put back' {
  if (!inForce('ownership is the claim')) return 'act';
  const open = asOpenIntent(intent, isOpaque);
  const mine = claimOf(delivery);
  const unprobed = resolveClaim(open, mine, sinceDeclared);
  if (unprobed.do !== 'act' && !inForce('only a redelivery takes over')) return 'take over';
  const verdict =
    unprobed.do === 'probe'
      ? resolveClaim(open, mine, { ...sinceDeclared, holder: holderOf(state, intent) })
      : unprobed;
  if (verdict.do === 'probe') throw new Error('a claim was probed, and asked for another probe');
  return verdict.do;
}

/** A probe that knows all: only a zombie is silent. */
function holderOf(state: State, { input, claim }: Intent): Holder {
  const holder = state.processes.find(({ delivery }) => {
    if (delivery?.input !== input) return false;
    const its = claimOf(delivery);
    return (
      its.sequence === claim.sequence && its.deliveries === claim.deliveries && its.process === claim.process
    );
  });
  if (!holder) return 'gone';
  return holder.isZombie ? 'silent' : 'acting';
}

/** The key names the act too: one input may open several in turn, each from the result before. */
export const asOpenIntent = ({ input, act, claim, epoch }: Intent, isOpaque: boolean): OpenIntent => ({
  key: `${input}, ${act}`,
  claim,
  epoch,
  effect: isOpaque ? 'opaque' : 'idempotent',
  declaredAtMs: 0,
});

function putBack(state: State, delivery: Delivery, index: number, role: Process['role']) {
  const message = state.messages.find(
    ({ input, copy }) => input === delivery.input && copy === delivery.copy,
  );
  const resting = withProcess(state, index, { role, next: 'take' });
  // The broker delivers the message once more, whoever holds it now.
  const to = message
    ? withMessage(resting, message, { ...message, isHeld: false, deliveries: message.deliveries + 1 })
    : resting;
  return { to, says: 'its holder is at work, puts it back' };
}
