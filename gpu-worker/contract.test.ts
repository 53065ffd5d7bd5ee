import { afterAll, expect, test, vi } from 'vitest';
import type { Backend, ModelRequest } from '../inference/backend.ts';
import { backendContract, type ContractSubject, type Parameters } from '../tests/backend-contract.ts';
import type { Behaviour, PlayedToolCall } from '../tests/model-behaviour.ts';
import { lure, type SetReply } from '../tests/tiny-model-reply.ts';
import { replyShape, type Shape } from '../tests/tiny-model.ts';
import { openForTest, tinyModel } from './engine-for-tests.ts';
import type { Engine } from './engine.ts';

/** A model whose weights say one reply, and the room that its engine is given. */
interface Played {
  reply: SetReply;
  contextTokens?: number;
  shape?: Shape;
}

/** Tokens of the contract's prompt: a character each, and six marks of the template. */
const promptTokens = 'You mend code.'.length + 'Mend the overlap.'.length + 6;
/** Its steps are slow enough that the 500 tokens of a call take more than its 150 ms on any machine. */
const slowShape: Shape = { ...replyShape, layers: 8, feedForward: 2048 };
/** Tokens of two characters would join those of the prompt. */
const lengthPieceCharacters = 3;
const ready: Played = { reply: { text: 'ready' } };

/** One engine at a time, kept until another reply is wanted. */
let loaded: { key: string; engine: Engine; remove(): void } | undefined;

async function unload(): Promise<void> {
  await loaded?.engine.close();
  loaded?.remove();
  loaded = undefined;
}
afterAll(unload);

async function engineOf(played: Played, timeoutMs = 20_000): Promise<Engine> {
  const key = JSON.stringify([played, timeoutMs]);
  if (loaded?.key === key) return loaded.engine;
  await unload();
  const { contextTokens = 1024, reply, shape } = played;
  const model = tinyModel({ reply, ...(shape && { shape }) });
  const engine = await openForTest(model.file, { slots: 1, contextTokens, timeoutMs });
  loaded = { key, engine, remove: model.remove };
  return engine;
}

const written = ({ name, arguments: given }: PlayedToolCall): string =>
  `<tool_call>${JSON.stringify({ name, arguments: given })}</tool_call>`;

function playedBy(behaviour: Behaviour): Played {
  if (behaviour.kind === 'hang') return { reply: { text: 'I think ', isEndless: true }, shape: slowShape };
  if (behaviour.kind !== 'reply') throw new Error(`weights cannot play ${behaviour.kind}: declare the case`);
  const { content = '', toolCalls = [], usage, finish, pieceCharacters = 7 } = behaviour;
  const reply: SetReply = { text: content + toolCalls.map(written).join(''), pieceCharacters };
  if (typeof usage === 'object') {
    const pieces = Math.ceil(content.length / pieceCharacters);
    // The one that ends the reply is counted too.
    reply.quietTokens = usage.outputTokens - pieces - 1;
    reply.paddingTokens = usage.inputTokens - promptTokens;
  }
  if (finish !== 'length') return { reply };
  reply.pieceCharacters = lengthPieceCharacters;
  // The context ends where the reply does, before the token that would end it.
  return { reply, contextTokens: promptTokens + Math.ceil(content.length / lengthPieceCharacters) };
}

const noServer = 'its replies are computed here: there is no server whose answer could be a failure';
const noKey = 'its replies are computed here: there is no server that could refuse a key';
const noIds = 'its replies are computed here: no provider gives its calls an id';
const noSilence = 'its replies are computed here, a token a step: it has a time limit, and none of a silence';
const noStream = 'its replies are computed here: there is no connection that could break off';
const onlyOffered =
  'its grammar lets it call only what is offered, with the arguments that are named: see engine.test.ts, ' +
  '"tools are called with arguments that keep their schema, also several at once"';

const cannot: ContractSubject['cannot'] = {
  'usage-absent': 'it counts its tokens itself, always',
  'tool-call': `${onlyOffered}, and below, "arguments come through the grammar character by character"`,
  'empty-arguments': onlyOffered,
  'malformed-arguments': onlyOffered,
  'unknown-tool': onlyOffered,
  'request-id': noIds,
  'request-id-of-failure': noIds,
  embeddings:
    'its vectors are its own: see engine.test.ts, "embeddings have length 1, are the same again, and tell texts apart"',
  silence: noSilence,
  'slow-stream': noSilence,
  'refused-key': noKey,
  forbidden: noKey,
  'unknown-model': 'it is one model, which answers under whatever name its entry has',
  'retry-after-seconds': noServer,
  'retry-after-date': noServer,
  'server-error': noServer,
  'other-refusal': noServer,
  redirect: noServer,
  malformed: noServer,
  'cut-end': noStream,
  'cut-reset': noStream,
  'error-in-stream': noStream,
  'context-overflow':
    'no server refuses it with a status: see engine.test.ts, "a prompt that does not fit is refused with both numbers"',
  'no-server': 'its replies are computed here: see load.test.ts for a file that is missing',
};

backendContract('llama', async () => {
  let behaviours: Behaviour[] = [];
  let count = 0;
  let schemaAsked: unknown;
  let parametersAsked: Parameters | undefined;
  let tokensBeforeLast = 0;
  // What it declares is read from a loaded one, whatever that one says.
  const opened = loaded?.engine ?? (await engineOf(ready));
  const { LlamaContextSequence } = await import('node-llama-cpp');
  const evaluate = vi.spyOn(LlamaContextSequence.prototype, 'evaluate');
  const outputTokensBefore = opened.figures().outputTokens;

  function backend(timeoutMs?: number): Backend {
    return {
      ...opened,
      async complete(request, options) {
        const behaviour = behaviours[Math.min(count, behaviours.length - 1)]!;
        const engine = await engineOf(playedBy(behaviour), timeoutMs);
        const before = engine.figures().outputTokens;
        schemaAsked = undefined;
        try {
          const reply = await engine.complete(request, options);
          // Without a grammar it would have said something else where no tools are offered.
          if (request.tools.length === 0 && !reply.content.startsWith(lure))
            schemaAsked = request.schema?.schema;
          const { temperature, topP } = evaluate.mock.lastCall![1]!;
          const maxTokens = reply.finish === 'length' ? reply.usage.outputTokens : undefined;
          parametersAsked = { temperature, topP, maxTokens };
          return reply;
        } finally {
          if (engine.figures().outputTokens > before) count += 1;
          tokensBeforeLast = before;
        }
      },
    };
  }
  const none = (): never => {
    throw new Error('it has no key and no server: declare the case');
  };
  return {
    play: (...more) => (behaviours = more),
    backend: ({ timeoutMs } = {}) => backend(timeoutMs),
    model: 'tiny',
    models: ['tiny'],
    apiKeyVariable: '',
    key: '',
    backendWithWrongKey: none,
    backendWithoutServer: none,
    calls() {
      const { freeSlots, outputTokens } = loaded!.engine.figures();
      if (behaviours.length === 0) return { count: outputTokens - outputTokensBefore, lastAborted: false };
      // It stopped where it was, long before the end.
      return { count, lastAborted: freeSlots === 1 && outputTokens - tokensBeforeLast < 50 };
    },
    schemaAsked: () => schemaAsked,
    // What llama.cpp is told at each step, and after how many tokens it was stopped.
    parametersAsked: () => parametersAsked!,
    cannot,
    stop: async () => evaluate.mockRestore(),
  };
});

const request: ModelRequest = {
  model: 'tiny',
  role: 'coder',
  maxTokens: 500,
  messages: [{ role: 'user', content: 'Mend the overlap.' }],
  tools: [
    {
      name: 'read-file',
      description: 'Reads a file',
      arguments: {
        type: 'object',
        properties: { path: { type: 'string' }, lines: { type: 'array', items: { type: 'integer' } } },
      },
    },
  ],
};
const never = { signal: new AbortController().signal, onText: () => {} };

test('llama: arguments come through the grammar character by character', async () => {
  const given = { path: 'src/"quoted"\n/füür 🙂.ts', lines: [1, 20, 300] };
  const toolCalls = [{ name: 'read-file', arguments: given }];
  const played = playedBy({ kind: 'reply', content: 'I look.', toolCalls, pieceCharacters: 1 });
  const engine = await engineOf(played);
  const texts: string[] = [];
  const reply = await engine.complete(request, { ...never, onText: (text) => texts.push(text) });
  expect(reply).toMatchObject({ content: 'I look.', finish: 'tool_calls' });
  expect(reply.toolCalls).toEqual([{ id: expect.any(String), name: 'read-file', arguments: given }]);
  expect(texts.join('')).toBe('I look.');
});

test('llama: what a schema keeps it from is what it says without one', async () => {
  const engine = await engineOf(playedBy({ kind: 'reply', content: '{"verdict":"reject","reasons":[]}' }));
  const reply = await engine.complete({ ...request, tools: [] }, never);
  expect(reply.content).toBe(lure);
});
