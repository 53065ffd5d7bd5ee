import type { TypeName } from './catalogue.ts';
import type { Envelope } from './envelope.ts';
import type { AgentRole, Entity, Role } from './row.ts';
import type { JournalName } from './subject.ts';

/** The very delivery that a decision was made for: inbox stream sequence, delivery count, process instance. */
export interface Claim {
  sequence: number;
  deliveries: number;
  process: string;
}

/** A declared effect whose result is not stored yet. */
export interface OpenIntent {
  /** Id of the message on whose behalf it was declared. */
  inputId: string;
  /** Names the effect within its journal, so that an outcome cannot be taken for another's. */
  key: string;
  claim: Claim;
  epoch: number;
  effect: 'idempotent' | 'queryable' | 'opaque';
  declaredAtMs: number;
}

/** An event in its place in the record. */
export interface Stored {
  journal: string;
  sequence: number;
  event: Envelope;
}

/** What `decide` is given: everything it may know, as data. */
export interface Input {
  /** Id of the message decided on. */
  id: string;
  /** Short type of the command, or of the concluding event that came home, or `outcome`. */
  type: string;
  /** The command, or the concluding event that came home. Absent for an outcome. */
  event?: Envelope;
  /** Where the concluding event stands, when one came home. */
  reference?: { journal: string; sequence: number };
  /** What an act came to. */
  outcome?: unknown;
  atMs: number;
  claim: Claim;
  facts?: unknown;
}

/** What is decided: one event, or to look again later, or nothing. */
export type Decision =
  | {
      do: 'append';
      type: TypeName;
      data: Record<string, unknown>;
      hop?: number;
      cyclesLeft?: number;
      /** The event does not end the matter: the same message is decided on again after this time. */
      againMs?: number;
    }
  | { do: 'later'; delayMs: number }
  | { do: 'nothing' };

/** Where a message that is owed goes. */
export type Address =
  | { inbox: 'role'; role: Role }
  | { inbox: 'pool'; pool: string }
  | { inbox: 'timer'; purpose: string };

/** What a journal's state says is still owed to others. Relayed as often as a crash makes it; the key names it for ever. */
export interface Owed {
  key: string;
  to: Address;
  type: TypeName;
  data: Record<string, unknown>;
  /** The journal that shows whether it was answered; the sweep looks there. */
  answer?: {
    journal: Omit<JournalName, 'taskId'>;
    isAnsweredBy: readonly string[];
    home?: { type: TypeName; role: AgentRole | 'manager' };
  };
}

/** An idempotent act that follows from stored events and moves forward only, such as a branch that follows its run. */
export interface Follow {
  key: string;
  follow: Record<string, unknown>;
}

/** A role, as the shell sees it: pure functions, and what may be looked up or done around them. */
export interface Service<State> {
  role: Role;
  /** The kind of journal that the role writes. */
  entity: Entity;
  initial: State;
  evolve(state: State, stored: Stored): State;
  decide(state: State, input: Input): Decision;
  outbox(state: State): (Owed | Follow)[];
  openIntent(state: State): OpenIntent | undefined;
  /** The event by which another delivery takes an open intent over; opaque effects are concluded instead. */
  takeOver?(state: State, input: Input): Decision;
  /** True when the sweep may forget the journal once nothing that is owed is unanswered. */
  isOver(state: State): boolean;
  /** What is kept of a command in the record, where the whole would be too much; `decide` sees only what is kept. */
  remember?(command: Envelope): Envelope;
  /** Looks up what `decide` needs to know from outside. */
  gather?(state: State, input: Input): Promise<unknown>;
  /** Performs the open intent. `whole` is the command as it came, before `remember`. */
  act?(state: State, whole: Envelope | undefined, context: ActContext): Promise<unknown>;
  /** Performs a follow; may be repeated at any time. */
  follow?(follow: Record<string, unknown>): Promise<void>;
}

export interface ActContext {
  /** Aborted when the step was closed or taken over by another. */
  signal: AbortSignal;
  taskId: string;
  epoch: number;
  process: string;
  /** Shows progress to whoever watches live; not stored. */
  live(kind: string, data: Record<string, unknown>): void;
}

/** The mesh's object store: bytes by a name that says what they must be, such as a commit's id. */
export interface Artifacts {
  /** The largest object that is taken, in bytes. */
  limitBytes: number;
  has(name: string): Promise<boolean>;
  /** Stores them once; an object of that name is left alone. Throws over the limit, and when they cannot be stored. */
  put(name: string, bytes: Uint8Array): Promise<{ wasThere: boolean }>;
  /** Throws when an object is damaged or stops half way. */
  get(name: string): Promise<Uint8Array | undefined>;
}
