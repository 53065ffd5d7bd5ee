import { type Input, type Message, type State, more, spend } from './state.ts';

interface Published {
  to: State;
  says: string;
  isFault?: boolean;
}

/**
 * All that may come of publishing an input: stored, swallowed because the broker remembers its message id, or
 * stored once more because the receipt was lost or the id forgotten. A `fresh` message id is always stored.
 */
export function publish(state: State, input: Input, fresh = false): Published[] {
  const says = `'${input}'`;
  const isNew = state.published[input] === undefined;
  const outcomes: Published[] = [
    isNew || fresh ? { to: stored(state, input), says } : { to: state, says: `${says} (swallowed)` },
  ];
  if (state.left.duplicate > 0 && !fresh) {
    const once = isNew ? stored(state, input) : state;
    outcomes.push({
      to: spend(stored(once, input), 'duplicate'),
      says: `${says}, stored TWICE`,
      isFault: true,
    });
  }
  return outcomes;
}

function stored(state: State, input: Input): State {
  const published = more(state.published, input);
  const message: Message = { input, copy: published[input]!, deliveries: 1, forgotten: 0, isHeld: false };
  return { ...state, published, messages: [...state.messages, message] };
}
