import { randomInt, randomUUID } from 'node:crypto';
import {
  LlamaGrammarEvaluationState,
  type LlamaEmbeddingContext,
  type LlamaGrammar,
  type LlamaModel,
  type Token,
} from 'node-llama-cpp';
import { mostSchemaTries, schemaCheck } from '../inference/act-schema.ts';
import { BackendError, type Backend, type ModelReply, type ModelRequest } from '../inference/backend.ts';
import { limitTime } from '../inference/backends/time-limit.ts';
import { capabilitiesOf } from '../schemas/model-backends.ts';
import { readTextToolCall } from '../inference/text-tool-call.ts';
import { errorsText, validatorOf } from '../inference/validators.ts';
import { measureTogether } from './calibrate.ts';
import { openFigures, type Figures } from './figures.ts';
import { generate, type Generated } from './generate.ts';
import { grammarText, jsonRules, quoted, type Rules } from './grammar.ts';
import { load, type LoadedCard, type LoadOptions } from './load.ts';
import { availableMemory } from './memory.ts';
import { formatOf, promptOf, type PromptFormat } from './prompt.ts';
import { refuseEmbedding } from './placement.ts';
import { openRounds } from './rounds.ts';
import { openSlots, type Slot } from './slots.ts';
import { callRules, openMark, readCalls, type WrittenCall } from './tool-calls.ts';

/** A loaded model. */
export interface Engine extends Backend {
  /** Replies that it writes at a time. */
  readonly slots: number;
  readonly quantisation: string;
  readonly card?: LoadedCard;
  figures(): Figures;
  embed(texts: string[], signal: AbortSignal): Promise<{ vectors: number[][]; inputTokens: number }>;
  close(): Promise<void>;
}

/** What a model is set to where nobody says: varied enough not to run in circles, narrow enough to stay on course. */
const standardTemperature = 0.7;
const keptGrammars = 32;
/** An embedding context reads one text at a time; longer texts are refused. */
const mostEmbeddedTokens = 2048;

/**
 * Loads a model and makes it ready, up to its first token. Parallel calls share batches, up to the number of slots; more
 * wait their turn. Throws a permanent BackendError where it cannot be loaded (see `load`).
 */
export async function openEngine(options: LoadOptions): Promise<Engine> {
  const { definition } = options;
  const loaded = await load(options);
  const { llama, model, context, header } = loaded;
  const sequences = Array.from({ length: loaded.slots }, () =>
    context.getSequence({ contextShift: { strategy: neverShift } }),
  );
  const slots = openSlots(loaded.slots);
  const rounds = openRounds();
  const figures = openFigures(loaded, slots);
  const format = formatOf({
    template: templateOf(model),
    knowsChatMl: model.tokenize('<|im_start|>', true).length === 1,
    bos: model.tokens.bosString,
    eos: model.tokens.eosString,
  });
  const grammars = new Map<string, Promise<LlamaGrammar>>();
  let embedding: Promise<LlamaEmbeddingContext> | undefined;

  /** Grammars are made once and used often. */
  async function grammarOf(rules: Rules): Promise<LlamaGrammar> {
    const text = grammarText(rules);
    let grammar = grammars.get(text);
    if (!grammar) {
      const oldest = grammars.keys().next().value;
      if (grammars.size >= keptGrammars && oldest !== undefined) grammars.delete(oldest);
      grammar = llama.createGrammar({ grammar: text });
      grammars.set(text, grammar);
    }
    return grammar;
  }

  /** What holds a request's reply to its form: from the start, or from the first call on. */
  async function formOf(request: ModelRequest): Promise<Form> {
    const rules: Rules = new Map();
    const start = (grammar: LlamaGrammar) => () => new LlamaGrammarEvaluationState({ model, grammar });
    const { schema, tools } = request;
    if (schema) {
      rules.set('root', '');
      const choices = [jsonRules(schema.schema, rules)];
      if (tools.length > 0) choices.push(`${quoted(openMark)} ${callRules(tools, rules)}`);
      rules.set('root', choices.join(' | '));
      return { grammar: start(await grammarOf(rules)) };
    }
    if (tools.length === 0) return {};
    rules.set('root', '');
    rules.set('root', callRules(tools, rules));
    return { trigger: { text: openMark, grammar: start(await grammarOf(rules)) } };
  }

  async function complete(
    request: ModelRequest,
    signal: AbortSignal,
    onText: (text: string) => void,
  ): Promise<ModelReply> {
    const check = checkOf(request);
    const form = await formOf(request).catch((error: unknown) => {
      throw new BackendError(
        'permanent',
        `no grammar can be made of what the reply must keep: ${inWords(error)}`,
        {
          mend: 'simplify the schema, or that of the tools',
        },
      );
    });
    const prompt = tokensOf(model, format, request);
    if (prompt.length >= definition.contextTokens)
      throw new BackendError(
        'permanent',
        `the prompt has ${prompt.length} tokens, and the context of ${definition.name} holds ${definition.contextTokens}`,
        { mend: 'ask for less, or raise its contextTokens' },
      );
    const slot = await slots.take(request.runId, signal);
    try {
      return await write(request, { slot, prompt, form, check, signal, onText });
    } finally {
      slots.giveBack(slot);
    }
  }

  /** Writes until a reply keeps its form, a bounded number of times. */
  async function write(request: ModelRequest, hand: Hand): Promise<ModelReply> {
    const problems: string[] = [];
    let outputTokens = 0;
    for (let tries = 1; tries <= mostSchemaTries; tries++) {
      const generated = await generate(model, {
        sequence: sequences[hand.slot.place]!,
        rounds,
        place: hand.slot.place,
        prompt: hand.prompt,
        contextTokens: definition.contextTokens,
        maxTokens: request.maxTokens,
        // The same again would come to the same.
        temperature: Math.max(request.temperature ?? standardTemperature, tries > 1 ? 0.5 : 0),
        topP: request.topP,
        seed: randomInt(2 ** 31),
        grammar: hand.form.grammar?.(),
        trigger: hand.form.trigger,
        stop: format.stop,
        signal: hand.signal,
        onText: tries === 1 ? hand.onText : () => {},
        onToken: figures.wrote,
      });
      figures.read(hand.prompt.length, generated.evaluatedPromptTokens);
      outputTokens += generated.outputTokens;
      const reply = hand.check(generated, {
        inputTokens: hand.prompt.length,
        outputTokens,
        estimated: false,
      });
      if ('content' in reply) return reply;
      problems.push(reply.problem);
    }
    throw new BackendError(
      'permanent',
      `${definition.name} wrote no valid reply in ${mostSchemaTries} tries: ${[...new Set(problems)].join('; ')}`,
      { mend: 'raise maxTokens if it was cut off, simplify the schema, or take a larger model' },
    );
  }

  /** A context beside that of the replies, which nobody counted when the model was loaded. */
  async function openEmbedding(contextSize: number): Promise<LlamaEmbeddingContext> {
    try {
      refuseEmbedding(definition.name, header, contextSize, options.memory ?? availableMemory());
      const { threads } = loaded;
      return await model.createEmbeddingContext({ contextSize, batchSize: contextSize, threads });
    } catch (error) {
      // Another time there may be memory for it.
      embedding = undefined;
      throw error;
    }
  }

  const engine: Engine = {
    slots: loaded.slots,
    quantisation: header.quantisation,
    ...(loaded.card && { card: loaded.card }),
    capabilities: capabilitiesOf(definition),
    figures: figures.now,
    complete: (request, { signal, onText }) =>
      limited(definition.name, definition.timeoutMs, signal, (limit) => complete(request, limit, onText)),
    async check() {
      // It is loaded, and has written its first token.
    },
    async models() {
      return [definition.model];
    },
    embed: (texts, signal) =>
      limited(definition.name, definition.timeoutMs, signal, async (limit) => {
        const contextSize = Math.min(mostEmbeddedTokens, definition.contextTokens);
        embedding ??= openEmbedding(contextSize);
        const reader = await embedding;
        const vectors: number[][] = [];
        let inputTokens = 0;
        for (const text of texts) {
          limit.throwIfAborted();
          const tokens = model.tokenize(text);
          if (tokens.length >= contextSize)
            throw new BackendError(
              'permanent',
              `a text has ${tokens.length} tokens, and ${contextSize - 1} can be embedded at once`,
              { mend: 'split it' },
            );
          inputTokens += tokens.length;
          vectors.push(unit((await reader.getEmbeddingFor(tokens)).vector));
        }
        return { vectors, inputTokens };
      }),
    async close() {
      figures.stop();
      await llama.dispose();
    },
  };
  await warmUp(engine, definition.name);
  const token = tokensOf(model, format, readiness(definition.name)).at(-1)!;
  if (!loaded.card && sequences.length > 1)
    loaded.batching.together = await measureTogether(sequences, token);
  return engine;
}

/** A shift would lose the beginning in silence; `generate` stops before there is need of one. */
function neverShift(): never {
  throw new Error('the context is full');
}

interface Form {
  grammar?: () => LlamaGrammarEvaluationState;
  trigger?: { text: string; grammar: () => LlamaGrammarEvaluationState };
}

interface Hand {
  slot: Slot;
  prompt: Token[];
  form: Form;
  check: Check;
  signal: AbortSignal;
  onText: (text: string) => void;
}

type Check = (generated: Generated, usage: ModelReply['usage']) => ModelReply | { problem: string };

/** Reads a reply: whole and valid, or what is wrong with it. Throws a permanent BackendError where a schema is none. */
function checkOf(request: ModelRequest): Check {
  try {
    const keeps = schemaCheck(request);
    const tools = new Map(request.tools.map((tool) => [tool.name, validatorOf(tool.arguments)]));
    return (generated, usage) => {
      const read = request.tools.length > 0 ? readCalls(generated.text) : undefined;
      if (read?.problem !== undefined) return { problem: read.problem };
      const calls = read?.calls ?? [];
      const told = readTextToolCall(generated.text, [...tools.keys()]);
      if (calls.length === 0 && told && !request.schema) calls.push(told);
      for (const call of calls) {
        const validate = tools.get(call.name);
        if (!validate) return { problem: `it calls ${call.name}, which is not offered` };
        if (!validate(call.arguments))
          return { problem: `the arguments of ${call.name}: ${errorsText(validate)}` };
      }
      // A call that was cut off is none.
      const finish = generated.finish === 'length' ? 'length' : calls.length > 0 ? 'tool_calls' : 'stop';
      const content = told && calls.length > 0 ? '' : (read?.content ?? generated.text);
      const reply = { content, toolCalls: calls.map(withId), finish, usage } satisfies ModelReply;
      const reading = keeps(reply);
      return 'content' in reading
        ? { ...reply, content: reading.content }
        : { problem: reading.problems.join('; ') };
    };
  } catch (error) {
    throw new BackendError('permanent', `a schema of the request is none: ${inWords(error)}`);
  }
}

const withId = (call: WrittenCall) => ({ id: `call_${randomUUID()}`, ...call });
const inWords = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Ends with the caller's signal or the time limit at once, though the slot is free only at the next token. */
async function limited<Result>(
  name: string,
  timeoutMs: number,
  caller: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const limit = limitTime(caller, { totalMs: timeoutMs, idleMs: timeoutMs });
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = () => reject(limit.signal.reason as Error);
  limit.signal.addEventListener('abort', end, { once: true });
  try {
    limit.signal.throwIfAborted();
    return await Promise.race([work(limit.signal), ended]);
  } catch (error) {
    if (limit.ended() === 'cancelled') throw new BackendError('permanent', 'the call was cancelled');
    if (limit.ended() !== undefined)
      throw new BackendError('retryable', `${name} did not finish within ${timeoutMs} ms`, {
        mend: 'raise its timeoutMs or lower maxTokens',
      });
    if (error instanceof BackendError) throw error;
    throw new BackendError('retryable', `llama.cpp failed on ${name}: ${inWords(error)}`, { cause: error });
  } finally {
    limit.signal.removeEventListener('abort', end);
    limit.release();
  }
}

function templateOf(model: LlamaModel): string | undefined {
  const template: unknown = model.fileInfo.metadata.tokenizer?.chat_template;
  return typeof template === 'string' ? template : undefined;
}

function tokensOf(model: LlamaModel, format: PromptFormat, request: ModelRequest): Token[] {
  const tokens = promptOf(format, request).flatMap((piece, place) =>
    model.tokenize(piece.text, piece.isTemplate, place === 0 ? undefined : 'trimLeadingSpace'),
  );
  const { bos, shouldPrependBosToken } = model.tokens;
  return shouldPrependBosToken && bos !== null && tokens[0] !== bos ? [bos, ...tokens] : tokens;
}

/** Scaled to length 1, as providers do, so that vectors can be compared by their product. */
function unit(vector: readonly number[]): number[] {
  const length = Math.hypot(...vector) || 1;
  return vector.map((value) => value / length);
}

const readiness = (model: string): ModelRequest => ({
  model,
  role: 'check',
  maxTokens: 1,
  tools: [],
  messages: [{ role: 'user', content: 'Ready?' }],
});

/** One token, so that the first caller does not wait for pages of the file. */
async function warmUp(engine: Engine, name: string): Promise<void> {
  await engine.complete(readiness(name), { signal: new AbortController().signal, onText: () => {} });
}
