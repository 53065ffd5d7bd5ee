import type { Rounds } from './rounds.ts';
import type { LlamaContextSequence, LlamaGrammarEvaluationState, LlamaModel, Token } from 'node-llama-cpp';

export interface Generation {
  sequence: LlamaContextSequence;
  /** Steps of all sequences, and the place of this one among them. */
  rounds: Rounds;
  place: number;
  prompt: Token[];
  /** How much the sequence holds, prompt and reply together. */
  contextTokens: number;
  maxTokens: number;
  temperature: number;
  topP?: number | undefined;
  seed: number;
  /** Holds the text to its grammar from the first token on. */
  grammar?: LlamaGrammarEvaluationState | undefined;
  /** From where this text appears on, what follows is held to the grammar. */
  trigger?: { text: string; grammar: () => LlamaGrammarEvaluationState } | undefined;
  /** A text that ends the reply; it is not part of it. */
  stop?: string | undefined;
  signal: AbortSignal;
  /** Text as it comes, up to the trigger. */
  onText: (text: string) => void;
  /** Called with each token. */
  onToken: () => void;
}

export interface Generated {
  text: string;
  /** `length`: it was cut by `maxTokens` or the end of the context. */
  finish: 'stop' | 'length';
  /** The one that ends a reply included. */
  outputTokens: number;
  /** Tokens of the prompt that had to be computed, since the slot's cache did not hold them. */
  evaluatedPromptTokens: number;
}

/** llama.cpp makes text from a few tokens before, to place spaces rightly. */
const lookBack = 4;
/** A character of UTF-8 has at most four bytes, each perhaps a token. */
const mostHeldTokens = 4;

/**
 * Writes one reply in one sequence. What the sequence holds of the prompt already is not computed again. Never shifts
 * the context: a reply that reaches its end is cut. The caller has seen to it that the prompt fits. An aborted signal
 * ends it at the next token, or at the next part of the prompt, with the signal's reason.
 */
export async function generate(model: LlamaModel, options: Generation): Promise<Generated> {
  const { sequence, prompt, signal, rounds } = options;
  const evaluatedPromptTokens = await readPrompt(sequence, prompt, signal, sequence.context.batchSize);
  let grammar = options.grammar;
  const iterator = sequence.evaluate(prompt.slice(sequence.nextTokenIndex), {
    temperature: options.temperature,
    topP: options.topP ?? 0.95,
    topK: 40,
    minP: 0.05,
    seed: options.seed,
    grammarEvaluationState: () => grammar,
    // It was computed like any other, so it is counted.
    yieldEogToken: true,
  });
  const most = Math.min(options.maxTokens, options.contextTokens - prompt.length);
  const speech = openSpeech(options);
  const written: Token[] = [];
  let held: Token[] = [];
  let isTriggered = false;
  let finish: Generated['finish'] = 'stop';
  let outputTokens = 0;
  let replacement: Token[] | undefined;
  try {
    for (;;) {
      signal.throwIfAborted();
      if (outputTokens >= most) {
        finish = 'length';
        break;
      }
      const given = replacement;
      replacement = undefined;
      // The first step reads what is left of the prompt, for which nobody should have to wait.
      const next =
        outputTokens === 0
          ? await iterator.next()
          : await rounds.step(options.place, () => iterator.next(given));
      if (next.done) break;
      outputTokens += 1;
      options.onToken();
      if (model.isEogToken(next.value)) break;
      held.push(next.value);
      const text = model.detokenize(held, false, written.slice(-lookBack));
      if (text.endsWith('\u{FFFD}') && held.length < mostHeldTokens) continue;
      written.push(...held);
      held = [];
      const heard = speech.hear(text);
      if (heard === 'stop') break;
      if (heard === undefined || isTriggered || !options.trigger) continue;
      isTriggered = true;
      grammar = options.trigger.grammar();
      // What the last token says beyond the mark is taken back: the grammar begins right behind it.
      if (heard.beyond > 0)
        replacement = model.tokenize(text.slice(0, text.length - heard.beyond), true, 'trimLeadingSpace');
    }
  } finally {
    await iterator.return();
  }
  if (held.length > 0) speech.hear(model.detokenize(held, false, written.slice(-lookBack)));
  const text = speech.end();
  return { text, finish, outputTokens, evaluatedPromptTokens };
}

/** Brings the sequence to the prompt but for its last part, a batch at a time, so that a cancel need not wait for all. */
async function readPrompt(
  sequence: LlamaContextSequence,
  prompt: Token[],
  signal: AbortSignal,
  batchSize: number,
): Promise<number> {
  // The last token is always computed, since the next one follows from it.
  await sequence.adaptStateToTokens(prompt.slice(0, -1), false);
  const missing = prompt.length - sequence.nextTokenIndex;
  while (prompt.length - sequence.nextTokenIndex > batchSize) {
    signal.throwIfAborted();
    const from = sequence.nextTokenIndex;
    await sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(from, from + batchSize));
  }
  return missing;
}

/** Passes text on as it comes, but for what may be the beginning of a mark that is not to be heard. */
function openSpeech({ trigger, stop, onText }: Generation) {
  const marks = [trigger?.text, stop].filter((mark) => mark !== undefined);
  let whole = '';
  let passedOn = 0;
  let isTriggered = false;
  function passOn(until: number): void {
    if (isTriggered || until <= passedOn) return;
    onText(whole.slice(passedOn, until));
    passedOn = until;
  }
  return {
    /** `stop` where the reply is over; where the trigger appeared, how many characters came behind it. */
    hear(text: string): 'stop' | { beyond: number } | undefined {
      const searched = Math.max(0, whole.length - Math.max(0, ...marks.map((mark) => mark.length)));
      whole += text;
      if (isTriggered) return undefined;
      const end = stop === undefined ? -1 : whole.indexOf(stop, searched);
      if (end >= 0) {
        whole = whole.slice(0, end);
        passOn(end);
        return 'stop';
      }
      const at = trigger === undefined ? -1 : whole.indexOf(trigger.text, searched);
      if (at >= 0) {
        passOn(at);
        isTriggered = true;
        const beyond = whole.length - at - trigger!.text.length;
        whole = whole.slice(0, whole.length - beyond);
        return { beyond };
      }
      passOn(whole.length - longestBeginning(whole, marks));
      return undefined;
    },
    end(): string {
      passOn(whole.length);
      return whole;
    },
  };
}

/** How many characters at the end of `text` may be the beginning of one of `marks`. */
function longestBeginning(text: string, marks: string[]): number {
  let longest = 0;
  for (const mark of marks)
    for (let length = Math.min(mark.length - 1, text.length); length > longest; length--)
      if (text.endsWith(mark.slice(0, length))) longest = length;
  return longest;
}
