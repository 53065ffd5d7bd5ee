import type { InForce } from './rules.ts';
import type { Configuration, Delivery, Event, State } from './state.ts';

export interface Mesh {
  configuration: Configuration;
  inForce: InForce;
}

/** One thing that may happen in a state, and what comes of it. */
export interface Transition {
  to: State;
  /** In plain words, for a trace. */
  says: string;
  isFault?: boolean;
  /** The property that it violates. */
  wrong?: string;
}

export const spell = ({ input, copy, deliveries }: Delivery): string =>
  `'${input}'${copy > 1 ? ` copy ${copy}` : ''}${deliveries > 1 ? ` delivery ${deliveries}` : ''}`;

export function spellEvent({ type, epoch, call, opens, concluded }: Event): string {
  const details = [
    concluded,
    call && `opens call ${call}`,
    opens && `opens ${opens}`,
    epoch && `epoch ${epoch}`,
  ].filter(Boolean);
  return details.length > 0 ? `${type} (${details.join(', ')})` : type;
}
