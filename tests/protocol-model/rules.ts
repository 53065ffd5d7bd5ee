/** One rule of the protocol, as a switch of the model. */
interface Rule {
  /** Its number in the protocol; a rule of two halves has two rows. */
  number: number;
  sentence: string;
  /** What a mesh without it does instead. */
  without: string;
}

export const rules = {
  'compare and set': {
    number: 1,
    sentence: 'An event is appended only if the journal still ends where the decision read it to end.',
    without: 'events are appended wherever the journal ends',
  },
  'relay what is owed': {
    number: 2,
    sentence: 'An input that is already handled, or decides nothing, relays the whole outbox of the journal.',
    without: 'such an input is acked with nothing relayed',
  },
  'ack after relay': {
    number: 3,
    sentence: 'A message is acked only after the receipts of all that it relayed.',
    without: 'a message is acked as soon as its event is stored',
  },
  'nothing only on a fresh read': {
    number: 4,
    sentence: '"Nothing to do" is decided only on the whole journal, for no compare-and-set guards it.',
    without: 'a stale cache may decide that there is nothing to do',
  },
  'ownership is the claim': {
    number: 5,
    sentence: 'An intent belongs to the delivery that declared it, not to whoever derives the same event id.',
    without: "whoever finds an intent under its own input's id performs it",
  },
  'only a redelivery takes over': {
    number: 6,
    sentence: 'An open intent is taken over by a later delivery of its message, or when its holder is dead.',
    without: 'any other delivery or copy takes over at once',
  },
  'take over by an epoch': {
    number: 7,
    sentence: 'Taking over is an append: epoch + 1 with the new claim; of an opaque act, its conclusion.',
    without: 'the one who takes over acts without writing it down',
  },
  'the fenced are silent': {
    number: 8,
    sentence: 'A holder whose message was delivered again says nothing to the broker.',
    without: 'a fenced holder acks its message',
  },
  'unclean append decides again': {
    number: 9,
    sentence: 'After a lost race, an error or a duplicate, the journal is folded and decided on again.',
    without: 'any answer to an append is taken for success',
  },
  'fenced only by epoch': {
    number: 10,
    sentence: 'A result that lost a race is fenced only if its intent is closed or its epoch superseded.',
    without: 'any lost race throws the result away',
  },
  'only the open call advances': {
    number: 11,
    sentence: 'Only the answer to the call that is open moves a run.',
    without: 'the answer to any call of the run moves it',
  },
  'only the current run concludes': {
    number: 11,
    sentence: 'Only the conclusion of the current run moves the task.',
    without: "any run's conclusion moves the task",
  },
  'stop before start': {
    number: 12,
    sentence: 'A stop for an unknown run concludes it before it starts.',
    without: 'a stop for an unknown run is dropped',
  },
  'cancel before submit': {
    number: 12,
    sentence: 'A cancel for an unknown task is written down.',
    without: 'a cancel for an unknown task is dropped',
  },
  'a call declares an intent': {
    number: 13,
    sentence: 'A model call is declared before it is made.',
    without: 'a call is made first and written down once it is answered',
  },
  'deadline with the question': {
    number: 14,
    sentence: 'The deadline timer goes out with the question, before the ack that parks the run.',
    without: 'a parked run has no timer',
  },
  sweep: {
    number: 15,
    sentence: 'A periodic sweep relays again what a lost message would have brought.',
    without: 'nobody looks for lost messages',
  },
  'sweep pulls answers': {
    number: 15,
    sentence: 'Where what an open command asked for is written already, the sweep brings that itself.',
    without: 'the sweep only repeats the command',
  },
  'sweep with a fresh id': {
    number: 15,
    sentence: 'The sweep publishes under a fresh message id, and the same event id.',
    without: 'the sweep repeats a message id that the broker still remembers',
  },
  'sweep reopens intents': {
    number: 15,
    sentence: 'The sweep brings the input of each open intent again.',
    without: 'the sweep knows no open intents',
  },
  'manager folds inputs': {
    number: 16,
    sentence: 'The manager remembers which inputs it has handled; below it the state alone says it.',
    without: 'the manager decides again on a late duplicate',
  },
} satisfies Record<string, Rule>;

export type RuleName = keyof typeof rules;
export const ruleNames = Object.keys(rules) as RuleName[];

/** Tells whether a rule is in force. */
export type InForce = (rule: RuleName) => boolean;
export const allRules: InForce = () => true;
export const allRulesBut =
  (...left: RuleName[]): InForce =>
  (rule) =>
    !left.includes(rule);
