import type { Claim } from '../../bus/claim.ts';
import type { InForce } from './rules.ts';
import type { Configuration, Event, Input, Journal } from './state.ts';

/** An intent that is open in a journal. */
export interface Intent {
  input: Input;
  act: string;
  claim: Claim;
  epoch: number;
}

export type Decision =
  | { do: 'append'; event: Event }
  | { do: 'nothing' }
  /** This very input opened an intent that is not closed: the claim says who performs it. */
  | { do: 'resume'; intent: Intent }
  /** Perform at once, with nothing declared (only without rule 13). */
  | { do: 'act undeclared'; act: string };

/** What a decision is given: never more than its journal, its input and, for a homecoming, what it refers to. */
export interface Question {
  configuration: Configuration;
  inForce: InForce;
  journal: Journal;
  input: Input;
  /** The claim of the delivery at hand, for the intent that the decision may open. */
  claim: Claim;
  /** The journal that a homecoming refers to; written once, so it may be read at any time. */
  referred: Journal;
}

export const nothing: Decision = { do: 'nothing' };
export const append = (event: Event): Decision => ({ do: 'append', event });

/** The intent after one more event of a run or a call; a result closes it, and may open the next. */
export function intentAfter(intent: Intent | undefined, event: Event): Intent | undefined {
  const { input, opens, claim, epoch } = event;
  if (opens) return { input, act: opens, claim: claim!, epoch: 1 };
  if (event.type === 'taken over') return intent && { ...intent, claim: claim!, epoch: epoch! };
  return event.type === 'resulted' || event.type === 'concluded' ? undefined : intent;
}
