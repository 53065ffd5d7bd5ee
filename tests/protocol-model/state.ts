import type { Claim } from '../../bus/claim.ts';

/** `<kind>` or `<kind> <run or call>`: both the id of an input and, copied, the message that carries it. */
export type Input = string;
export type Role = 'manager' | 'router' | 'coder' | 'inference';
export type Conclusion = 'green' | 'red' | 'stopped' | 'no answer' | 'indeterminate';

export interface Event {
  type:
    | ('accepted' | 'reworked' | 'paused' | 'resumed' | 'cancelled' | 'completed' | 'failed') // task
    | 'decided' // route
    | ('started' | 'asked' | 'settled' | 'concluded') // run
    | ('intended' | 'taken over' | 'resulted'); // run and call
  input: Input;
  /** The task's run from here on, or the run that an event judges or stops. */
  run?: number;
  /** The call that the event opens. */
  call?: string;
  /** The act that the event opens, by an intent of its own. */
  opens?: string;
  /** The act that the event closes. */
  closes?: string;
  claim?: Claim;
  /** Of a declared or taken intent, or of the one that a result closes. */
  epoch?: number;
  concluded?: Conclusion;
  /** Set where the event obeys a call or a run that is no longer current: a violation. */
  outdated?: string;
}
export type Journal = readonly Event[];

/** One stored message; `copy` plays the inbox sequence, which matters only among copies of one input. */
export interface Message {
  input: Input;
  copy: number;
  deliveries: number;
  /** How often a restarted broker forgot that it had made this delivery. */
  forgotten: number;
  isHeld: boolean;
}
export type Delivery = Omit<Message, 'isHeld'>;

/** A process between two acts of the shell: what it will do next, and all that it knows. */
export interface Process {
  role: Role;
  next: 'take' | 'append' | 'act' | 'append result' | 'ack early' | 'relay and ack';
  delivery?: Delivery;
  /** Its lease has ended: it gives no sign of life, and goes on. */
  isZombie?: boolean;
  /** How much of the journal it has read. */
  read?: number;
  event?: Event;
  act?: string;
  epoch?: number;
  outcome?: Conclusion;
  owed?: readonly Input[];
  hasAcked?: boolean;
}

/** How often each fault may still strike. */
export interface Faults {
  crash: number;
  lapse: number;
  ambiguous: number;
  duplicate: number;
  stale: number;
  lose: number;
  forget: number;
  cancel: number;
  pause: number;
  /** Sweeps at any time; those at rest are counted apart, in `restSweeps`. */
  sweep: number;
}
const noFaults: Faults = {
  crash: 0,
  lapse: 0,
  ambiguous: 0,
  duplicate: 0,
  stale: 0,
  lose: 0,
  forget: 0,
  cancel: 0,
  pause: 0,
  sweep: 0,
};

export interface Configuration {
  processes: Partial<Record<Role, number>>;
  /** The steps of a run, in turn. */
  steps: readonly ('call' | 'tool')[];
  /** Tool acts cannot be repeated or queried. */
  isOpaque: boolean;
  /** The last tool act may also end red. */
  mayEndRed: boolean;
  mostRuns: number;
  callAttempts: number;
  /** Nobody serves the first pool: a first attempt at a call is never taken. */
  isFirstPoolEmpty: boolean;
  /** Timers run at all; without them fewer states tell the same of other rules. */
  hasTimers: boolean;
  restSweeps: number;
  faults: Partial<Faults>;
}

export type Counts = Readonly<Record<string, number>>;
export interface State {
  journals: Readonly<Record<string, Journal>>;
  messages: readonly Message[];
  processes: readonly Process[];
  /** Copies stored so far of each input. */
  published: Counts;
  left: Faults;
  restSweepsLeft: number;
  /** How often each act was performed, out in the world. */
  performed: Counts;
  /** How often a holder of each input died or fell silent: what excuses a second performance. */
  leasesEnded: Counts;
  /** Stops that were acked, by run journal: nothing may happen there any more. */
  stopsAcked: Counts;
}

export function initialState(configuration: Configuration): State {
  const roles: Role[] = ['manager', 'router', 'coder', 'inference'];
  return {
    journals: {},
    messages: [{ input: 'submit', copy: 1, deliveries: 1, forgotten: 0, isHeld: false }],
    processes: roles.flatMap((role) =>
      Array.from({ length: configuration.processes[role] ?? 1 }, (): Process => ({ role, next: 'take' })),
    ),
    published: { submit: 1 },
    left: { ...noFaults, ...configuration.faults },
    restSweepsLeft: configuration.restSweeps,
    performed: {},
    leasesEnded: {},
    stopsAcked: {},
  };
}

export const journalIn = (state: State, name: string): Journal => state.journals[name] ?? [];
export const more = (counts: Counts, key: string): Counts => ({ ...counts, [key]: (counts[key] ?? 0) + 1 });
export const spend = (state: State, fault: keyof Faults): State => ({
  ...state,
  left: { ...state.left, [fault]: state.left[fault] - 1 },
});
export const withProcess = (state: State, index: number, process: Process): State => ({
  ...state,
  processes: state.processes.with(index, process),
});
export const atRest = (process: Process): Process => ({ role: process.role, next: 'take' });
export const withEvent = (state: State, name: string, event: Event): State => ({
  ...state,
  journals: { ...state.journals, [name]: [...journalIn(state, name), event] },
});
export const withMessage = (state: State, message: Message, changed?: Message): State => ({
  ...state,
  messages: state.messages.flatMap((one) => (one === message ? (changed ?? []) : one)),
});
export const isSameDelivery = (one: Delivery, other: Delivery | undefined): boolean =>
  other !== undefined &&
  one.input === other.input &&
  one.copy === other.copy &&
  one.deliveries === other.deliveries &&
  one.forgotten === other.forgotten;

/** The message as this very delivery holds it; undefined once it was acked, lost or handed on. */
export const heldBy = (state: State, delivery: Delivery): Message | undefined =>
  state.messages.find((message) => message.isHeld && isSameDelivery(message, delivery));
