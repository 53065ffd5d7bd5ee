import { afterEach, expect, test } from 'vitest';
import type { Behaviour } from '../../tests/model-behaviour.ts';
import { definitionAt, startOpenAiServer } from '../../tests/openai-server.ts';
import type { OpenAiServer } from '../../tests/openai-server.ts';
import type { ModelReply } from '../backend.ts';
import { openai } from './openai.ts';

// What llama-server (tools/server of llama.cpp) and vLLM (its OpenAI-compatible server) say in ways of their own.

const servers: OpenAiServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function ask(behaviour: Behaviour): Promise<ModelReply> {
  const server = await startOpenAiServer({ behave: () => behaviour });
  servers.push(server);
  const backend = openai(definitionAt(server.url), {});
  return backend.complete(
    {
      model: 'test-model',
      role: 'coder',
      maxTokens: 300,
      messages: [{ role: 'user', content: 'Hello' }],
      tools: [{ name: 'read-file', description: 'Reads', arguments: { type: 'object' } }],
    },
    { signal: AbortSignal.timeout(20_000), onText: () => {} },
  );
}

const answer = (status: number, body: object): Behaviour => ({
  kind: 'raw',
  status,
  contentType: 'application/json; charset=utf-8',
  body: JSON.stringify(body),
});
const stream = (...pieces: (object | string)[]): Behaviour => ({
  kind: 'raw',
  status: 200,
  contentType: 'text/event-stream',
  body: pieces.map((one) => `data: ${typeof one === 'string' ? one : JSON.stringify(one)}\n\n`).join(''),
});
const piece = (delta: object, finish: string | null = null) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta, finish_reason: finish }],
});

const tooLong = "This model's maximum context length is 4096 tokens. However, you requested 4396 tokens";

test.each([
  {
    it: 'llama-server that loads its model is waited for',
    says: answer(503, { error: { code: 503, message: 'Loading model', type: 'unavailable_error' } }),
    error: { kind: 'retryable', status: 503, retryAfterMs: 5000 },
    words: /is still loading its model/,
  },
  {
    it: 'llama-server whose context is too small',
    says: answer(400, {
      error: {
        code: 400,
        message: 'request (4476 tokens) exceeds the available context size (4096 tokens), try increasing it',
        type: 'exceed_context_size_error',
        n_prompt_tokens: 4476,
        n_ctx: 4096,
      },
    }),
    error: { kind: 'permanent', status: 400 },
    words: /larger than the context of test-model: .*4476 tokens/,
  },
  {
    it: 'an older llama-server, which told so within the stream',
    says: stream({
      error: {
        code: 400,
        message: 'the request exceeds the available context size. try increasing the context size',
        type: 'exceed_context_size_error',
      },
    }),
    error: { kind: 'permanent' },
    words: /larger than the context of test-model/,
  },
  {
    it: 'llama-server that was started without templates of tools',
    says: answer(500, {
      error: { code: 500, message: 'tools param requires --jinja flag', type: 'server_error' },
    }),
    error: { kind: 'permanent', status: 500 },
    words: /cannot call tools: .*--jinja.*start its server with/,
  },
  {
    it: 'vLLM whose context is too small',
    says: answer(400, { error: { message: tooLong, type: 'BadRequestError', param: null, code: 400 } }),
    error: { kind: 'permanent', status: 400 },
    words: /larger than the context of test-model: .*4396 tokens/,
  },
  {
    it: 'vLLM that names the parameter by which it is',
    says: answer(400, {
      error: {
        message: `'max_tokens' or 'max_completion_tokens' is too large: 300. ${tooLong}`,
        type: 'BadRequestError',
        param: 'max_tokens',
        code: 400,
      },
    }),
    error: { kind: 'permanent', status: 400 },
    words: /larger than the context of test-model/,
    asks: 1,
  },
  {
    it: 'an older vLLM, whose errors lie flat',
    says: answer(400, { object: 'error', message: tooLong, type: 'BadRequestError', param: null, code: 400 }),
    error: { kind: 'permanent', status: 400 },
    words: /larger than the context of test-model: .*4396 tokens/,
  },
  {
    it: 'an older vLLM within a stream',
    says: stream(
      piece({ role: 'assistant', content: 'The' }),
      { object: 'error', message: 'the engine died', type: 'InternalServerError', param: null, code: 500 },
      '[DONE]',
    ),
    error: { kind: 'retryable' },
    words: /the engine died/,
  },
  {
    it: 'a server whose framework refuses the request',
    says: answer(422, { detail: [{ loc: ['body', 'tools'], msg: 'Input should be a valid list' }] }),
    error: { kind: 'permanent', status: 422 },
    words: /refused the request \(422\): .*Input should be a valid list/,
  },
  {
    it: 'vLLM that was started without a parser of tool calls',
    says: answer(400, {
      error: {
        message: '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
        type: 'BadRequestError',
        param: null,
        code: 400,
      },
    }),
    error: { kind: 'permanent', status: 400 },
    words: /cannot call tools: .*--enable-auto-tool-choice.*start its server with/,
  },
  {
    it: 'vLLM that gives a request up in the middle of its reply',
    says: stream(piece({ role: 'assistant', content: 'The' }), piece({}, 'abort'), '[DONE]'),
    error: { kind: 'retryable' },
    words: /gave its reply up \(abort\)/,
  },
] as { it: string; says: Behaviour; error: object; words: RegExp; asks?: number }[])(
  'openai servers: $it',
  async ({ says, error, words, asks = 1 }) => {
    const failed: unknown = await ask(says).catch((one: unknown) => one);
    expect(failed).toMatchObject({ name: 'BackendError', ...error, message: expect.stringMatching(words) });
    expect(servers[0]!.requests).toHaveLength(asks);
  },
);

test.each(['reasoning_content', 'reasoning'])(
  'openai servers: what is thought, as %s, is no part of the reply',
  async (name) => {
    const reply = await ask(
      stream(
        piece({ role: 'assistant', content: '' }),
        piece({ [name]: 'The user greets me.' }),
        piece({ content: null, [name]: ' I greet back.' }),
        piece({ content: 'Hello.' }),
        piece({}, 'stop'),
        { object: 'chat.completion.chunk', choices: [], usage: { prompt_tokens: 9, completion_tokens: 12 } },
        '[DONE]',
      ),
    );
    expect(reply).toMatchObject({
      content: 'Hello.',
      finish: 'stop',
      usage: { inputTokens: 9, outputTokens: 12, estimated: false },
    });
  },
);
