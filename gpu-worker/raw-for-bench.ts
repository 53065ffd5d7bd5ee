import {
  getLlama,
  LlamaGrammarEvaluationState,
  LlamaLogLevel,
  type LlamaGrammar,
  type Token,
} from 'node-llama-cpp';
import { pin } from './threads.ts';

// node-llama-cpp by itself, as its documentation uses it, in a process of its own: what the mesh is measured against.
// Its parent tells it what to do, a message at a time.

/** What it loads, and how it computes. */
export interface RawSettings {
  file: string;
  slots: number;
  contextTokens: number;
  threads: number;
  /** Bound to the processors that a gpu-worker would be bound to. */
  isPinned: boolean;
  isOnCard: boolean;
}

export interface RawJob {
  prompts: string[];
  maxTokens: number;
  schema?: object;
}

export interface RawResult {
  wallMs: number;
  outputTokens: number;
  /** Of each prompt, from the asking to the first text. */
  firstTextMs: number[];
}

const sampling = { temperature: 0.7, topP: 0.95, topK: 40, minP: 0.05 };

async function open(settings: RawSettings): Promise<(job: RawJob) => Promise<RawResult>> {
  const { file, slots, contextTokens, threads } = settings;
  if (settings.isPinned) pin();
  const llama = await getLlama({
    gpu: settings.isOnCard ? 'auto' : false,
    build: 'never',
    progressLogs: false,
    logLevel: LlamaLogLevel.error,
    maxThreads: threads,
  });
  const model = await llama.loadModel({ modelPath: file });
  const context = await model.createContext({
    sequences: slots,
    contextSize: contextTokens + 2,
    threads: { ideal: threads, min: threads },
  });
  const sequences = Array.from({ length: slots }, () => context.getSequence());
  const grammars = new Map<string, LlamaGrammar>();

  async function write(place: number, prompt: string, { maxTokens, schema }: RawJob) {
    const askedAt = performance.now();
    const text = JSON.stringify(schema);
    if (schema && !grammars.has(text))
      grammars.set(text, await llama.createGrammarForJsonSchema(schema as { type: 'object' }));
    const grammar = grammars.get(text);
    const sequence = sequences[place]!;
    await sequence.clearHistory();
    const options = {
      ...sampling,
      ...(grammar ? { grammarEvaluationState: new LlamaGrammarEvaluationState({ model, grammar }) } : {}),
      yieldEogToken: true,
    };
    let firstTextMs: number | undefined;
    let outputTokens = 0;
    let held: Token[] = [];
    for await (const token of sequence.evaluate(model.tokenize(prompt, true), options)) {
      outputTokens += 1;
      held.push(token);
      // A part of a character is no text yet.
      const whole = !model.detokenize(held).endsWith('\u{FFFD}') || held.length >= 4;
      if (whole) {
        firstTextMs ??= performance.now() - askedAt;
        held = [];
      }
      if (outputTokens >= maxTokens || model.isEogToken(token)) break;
    }
    return { outputTokens, firstTextMs: firstTextMs ?? performance.now() - askedAt };
  }

  return async (job) => {
    const startedAt = performance.now();
    const written = await Promise.all(job.prompts.map((prompt, place) => write(place, prompt, job)));
    return {
      wallMs: performance.now() - startedAt,
      outputTokens: written.reduce((sum, one) => sum + one.outputTokens, 0),
      firstTextMs: written.map((one) => one.firstTextMs),
    };
  };
}

let run: ((job: RawJob) => Promise<RawResult>) | undefined;
process.on('message', (message: RawSettings | RawJob) => {
  void (async () => {
    if ('file' in message) {
      run = await open(message);
      process.send!({ isReady: true });
    } else process.send!(await run!(message));
  })();
});
process.once('disconnect', () => process.exit(0));
