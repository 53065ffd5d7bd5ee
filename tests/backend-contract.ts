import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BackendError } from '../inference/backend.ts';
import type { Backend, ModelReply, ModelRequest } from '../inference/backend.ts';
import type { Behaviour } from './model-behaviour.ts';

/** What a backend brings to the contract: a server that plays, and itself pointed at it. */
export interface ContractSubject {
  /** The n-th call is answered by the n-th behaviour, all later ones by the last. */
  play(...behaviours: Behaviour[]): void;
  /** `timeoutMs` is of the whole call, `idleTimeoutMs` of a silence within a reply. */
  backend(limits?: { timeoutMs?: number; idleTimeoutMs?: number }): Backend;
  /** A model that the server has, and the names of all it has. */
  model: string;
  models: string[];
  /** The variable whose key the server wants, and the key. */
  apiKeyVariable: string;
  key: string;
  /** The same backend with a key that the server refuses. */
  backendWithWrongKey(): Backend;
  /** The same backend pointed at a port where nothing listens, and that address. */
  backendWithoutServer(): { backend: Backend; address: string };
  /** How many calls the server got, and whether the client hung up on the last one. */
  calls(): { count: number; lastAborted: boolean };
  stop(): Promise<void>;
}

const tools: ModelRequest['tools'] = [
  {
    name: 'read-file',
    description: 'Reads a file',
    arguments: { type: 'object', properties: { path: { type: 'string' } } },
  },
  { name: 'edit-file', description: 'Edits a file', arguments: { type: 'object' } },
];

/** What every backend must do, whatever its provider; each case names the server's behaviour and ours. */
export function backendContract(name: string, start: () => Promise<ContractSubject>): void {
  describe(`${name} backend contract`, () => {
    let subject: ContractSubject;
    beforeEach(async () => {
      subject = await start();
    });
    afterEach(() => subject.stop());

    const request = (more: Partial<ModelRequest> = {}): ModelRequest => ({
      model: subject.model,
      role: 'coder',
      maxTokens: 500,
      messages: [
        { role: 'system', content: 'You mend code.' },
        { role: 'user', content: 'Mend the overlap.' },
      ],
      tools,
      ...more,
    });

    async function complete(backend = subject.backend(), more: Partial<ModelRequest> = {}) {
      const texts: string[] = [];
      const signal = new AbortController().signal;
      const reply = await backend.complete(request(more), { signal, onText: (text) => texts.push(text) });
      return { reply, texts };
    }

    async function failure(
      backend = subject.backend(),
      more: Partial<ModelRequest> = {},
    ): Promise<BackendError> {
      const error: unknown = await complete(backend, more).then(
        ({ reply }) => expect.fail(`answered: ${JSON.stringify(reply)}`),
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(BackendError);
      expect((error as BackendError).message).not.toContain(subject.key);
      return error as BackendError;
    }

    const call = (reply: ModelReply, position = 0) => reply.toolCalls[position];

    test('a plain reply: comes whole, with the usage that the provider counted', async () => {
      const usage = { inputTokens: 321, outputTokens: 12 };
      subject.play({ kind: 'reply', content: 'The intervals are half-open.', usage });
      const { reply } = await complete();
      expect(reply).toMatchObject({
        content: 'The intervals are half-open.',
        toolCalls: [],
        finish: 'stop',
        usage: { ...usage, estimated: false },
      });
    });

    test('a stream: text arrives piece by piece and adds up to the reply', async () => {
      const content = 'Die Prüfung „größer“ war falsch: <= statt <. 🙂';
      subject.play({ kind: 'reply', content, pieceCharacters: 3 });
      const { reply, texts } = await complete();
      expect(texts.length).toBeGreaterThan(5);
      expect(texts.join('')).toBe(content);
      expect(reply.content).toBe(content);
    });

    test('usage: estimated and named so where the provider does not count', async () => {
      subject.play({ kind: 'reply', content: 'x'.repeat(400), usage: 'absent' });
      const { reply } = await complete();
      expect(reply.usage.estimated).toBe(true);
      expect(reply.usage.outputTokens).toBe(100);
      expect(reply.usage.inputTokens).toBeGreaterThan(10);
    });

    test('a reply cut by maxTokens: says so', async () => {
      subject.play({ kind: 'reply', content: 'The inter', finish: 'length' });
      expect((await complete()).reply).toMatchObject({ content: 'The inter', finish: 'length' });
    });

    test('a tool call: arguments split in the middle of their JSON come together', async () => {
      const given = { path: 'src/"quoted"\n/füür.ts', lines: [1, 2, { deep: null }] };
      subject.play({
        kind: 'reply',
        content: 'I look.',
        toolCalls: [{ id: 'call_a', name: 'read-file', arguments: given }],
        pieceCharacters: 1,
      });
      const { reply } = await complete();
      expect(reply).toMatchObject({ content: 'I look.', finish: 'tool_calls' });
      expect(reply.toolCalls).toEqual([{ id: expect.any(String), name: 'read-file', arguments: given }]);
    });

    test('parallel tool calls: stay apart and in order, each with an id of its own', async () => {
      const paths = ['a.ts', 'b.ts', 'c.ts'];
      const toolCalls = paths.map((path) => ({ id: `call_${path}`, name: 'read-file', arguments: { path } }));
      subject.play({ kind: 'reply', toolCalls });
      const { reply } = await complete();
      expect(reply.toolCalls.map((each) => each.arguments)).toEqual(paths.map((path) => ({ path })));
      expect(new Set(reply.toolCalls.map((each) => each.id)).size).toBe(3);
    });

    test('a tool call without arguments: is an empty object', async () => {
      subject.play({ kind: 'reply', toolCalls: [{ id: 'call_a', name: 'run-tests', arguments: '' }] });
      expect(call((await complete()).reply)).toMatchObject({ name: 'run-tests', arguments: {} });
    });

    test.each(['{"path": "a.ts', '["a.ts"]', 'path=a.ts'])(
      'malformed arguments: %s is kept word for word, and is no error of the call',
      async (broken) => {
        subject.play({ kind: 'reply', toolCalls: [{ id: 'call_a', name: 'read-file', arguments: broken }] });
        expect(call((await complete()).reply)).toMatchObject({ arguments: null, invalidArguments: broken });
      },
    );

    test('an unknown tool: passes through, for the caller to answer', async () => {
      subject.play({ kind: 'reply', toolCalls: [{ id: 'call_a', name: 'rm_rf', arguments: { path: '/' } }] });
      expect(call((await complete()).reply)).toMatchObject({ name: 'rm_rf', arguments: { path: '/' } });
    });

    test('a model that never calls a tool: its words are the reply', async () => {
      subject.play({ kind: 'reply', content: 'You should read the file { "name": 1 }.' });
      expect((await complete()).reply).toMatchObject({ finish: 'stop', toolCalls: [] });
    });

    test('a tool call written as text: is taken as the call, if the tool is known', async () => {
      subject.play(
        { kind: 'reply', content: '{"name": "read-file", "arguments": {"path": "a.ts"}}' },
        { kind: 'reply', content: '{"name": "Ada", "arguments": {"path": "a.ts"}}' },
      );
      const known = (await complete()).reply;
      expect(known).toMatchObject({ content: '', finish: 'tool_calls' });
      expect(call(known)).toMatchObject({ name: 'read-file', arguments: { path: 'a.ts' } });
      expect((await complete()).reply).toMatchObject({ finish: 'stop', toolCalls: [] });
    });

    test('a conversation: calls and results of earlier turns are taken, broken ones and odd ids included', async () => {
      subject.play({ kind: 'reply', toolCalls: [{ name: 'read-file', arguments: {} }] });
      const messages: ModelRequest['messages'] = [
        ...request().messages,
        {
          role: 'assistant',
          content: '',
          toolCalls: [
            { id: 'call_1_0', name: 'read-file', arguments: { path: 'a.ts' } },
            { id: 'call_1_1', name: 'edit-file', arguments: null, invalidArguments: '{"path' },
          ],
        },
        { role: 'tool', toolCallId: 'call_1_0', content: 'text', status: 'ok' },
        { role: 'tool', toolCallId: 'call_1_1', content: 'not JSON: {"path', status: 'failed' },
      ];
      const { reply } = await complete(subject.backend(), { messages });
      expect(call(reply)?.id).not.toBe('');
      expect(['call_1_0', 'call_1_1']).not.toContain(call(reply)?.id);
    });

    test('cancel: ends at once in the middle of a stream, and the server notices', async () => {
      subject.play({ kind: 'reply', content: 'word '.repeat(500), pieceDelayMs: 10 });
      const controller = new AbortController();
      let cancelledAt = 0;
      const cancel = () => {
        cancelledAt ||= performance.now();
        controller.abort();
      };
      const call = subject.backend().complete(request(), { signal: controller.signal, onText: cancel });
      await expect(call).rejects.toMatchObject({
        name: 'BackendError',
        kind: 'permanent',
        message: 'the call was cancelled',
      });
      expect(performance.now() - cancelledAt).toBeLessThan(200);
      await expect.poll(() => subject.calls().lastAborted).toBe(true);
    });

    test('cancelled before it began: asks nothing', async () => {
      subject.play({ kind: 'reply', content: 'never' });
      const call = subject.backend().complete(request(), { signal: AbortSignal.abort(), onText: () => {} });
      await expect(call).rejects.toMatchObject({ message: 'the call was cancelled' });
      expect(subject.calls().count).toBe(0);
    });

    test('a server that never answers: retryable after the timeout', async () => {
      subject.play({ kind: 'hang' });
      const error = await failure(subject.backend({ timeoutMs: 150 }));
      expect(error).toMatchObject({ kind: 'retryable' });
      expect(error.message).toContain('did not finish within 150 ms');
    });

    test('a stream that falls silent: retryable long before the timeout', async () => {
      subject.play({ kind: 'hang', after: 'I am about to' });
      const error = await failure(subject.backend({ timeoutMs: 60_000, idleTimeoutMs: 100 }));
      expect(error).toMatchObject({ kind: 'retryable' });
      expect(error.message).toContain('fell silent for 100 ms');
    });

    test('a slow stream: is no silence as long as words come', async () => {
      subject.play({ kind: 'reply', content: 'x'.repeat(10), pieceCharacters: 1, pieceDelayMs: 40 });
      expect((await complete(subject.backend({ idleTimeoutMs: 250 }))).reply.content).toBe('x'.repeat(10));
    });

    test('a key that is refused: permanent, names the variable', async () => {
      const error = await failure(subject.backendWithWrongKey());
      expect(error).toMatchObject({ kind: 'permanent', status: 401 });
      expect(error.message).toContain(subject.apiKeyVariable);
      await expect(
        subject.backendWithWrongKey().check(subject.model, AbortSignal.timeout(5000)),
      ).rejects.toThrow(subject.apiKeyVariable);
    });

    test('403: permanent, names the variable', async () => {
      subject.play({ kind: 'error', status: 403, message: `no access for ${subject.key}` });
      const error = await failure();
      expect(error).toMatchObject({ kind: 'permanent', status: 403 });
      expect(error.message).toContain(subject.apiKeyVariable);
    });

    test('an unknown model: permanent, lists those there are and the nearest', async () => {
      const asked = `${subject.model}x`;
      subject.play({ kind: 'reply', content: 'never' });
      const signal = AbortSignal.timeout(5000);
      const fromCheck = await subject
        .backend()
        .check(asked, signal)
        .catch((error: unknown) => error);
      for (const error of [await failure(subject.backend(), { model: asked }), fromCheck as BackendError]) {
        expect(error).toMatchObject({ kind: 'permanent', status: 404 });
        for (const model of subject.models) expect(error.message).toContain(model);
        expect(error.message).toContain(`did you mean ${subject.model}?`);
      }
    });

    test('check: a model that the server has costs no call', async () => {
      await subject.backend().check(subject.model, AbortSignal.timeout(5000));
      expect(subject.calls().count).toBe(0);
    });

    test.each([
      { it: 'seconds', header: () => '7', lowMs: 7000, highMs: 7000 },
      {
        it: 'a date',
        header: () => new Date(Date.now() + 30_000).toUTCString(),
        lowMs: 28_000,
        highMs: 30_000,
      },
    ])('429 with Retry-After in $it: retryable, after that time', async ({ header, lowMs, highMs }) => {
      subject.play({
        kind: 'error',
        status: 429,
        headers: { 'retry-after': header() },
        message: 'slow down',
      });
      const error = await failure();
      expect(error).toMatchObject({ kind: 'retryable', status: 429 });
      expect(error.retryAfterMs).toBeGreaterThanOrEqual(lowMs);
      expect(error.retryAfterMs).toBeLessThanOrEqual(highMs);
    });

    test('500 and 503: retryable, one call each, and then success', async () => {
      subject.play(
        { kind: 'error', status: 500 },
        { kind: 'error', status: 503, message: `overloaded, ${subject.key}` },
        { kind: 'reply', content: 'back' },
      );
      const backend = subject.backend();
      expect(await failure(backend)).toMatchObject({
        kind: 'retryable',
        status: 500,
        retryAfterMs: undefined,
      });
      expect(await failure(backend)).toMatchObject({ kind: 'retryable', status: 503 });
      expect((await complete(backend)).reply.content).toBe('back');
      expect(subject.calls().count).toBe(3);
    });

    test('another refusal: permanent, with what the server said, openly cut', async () => {
      subject.play({
        kind: 'error',
        status: 400,
        message: `bad temperature ${subject.key} ${'long '.repeat(200)}`,
      });
      const error = await failure();
      expect(error).toMatchObject({ kind: 'permanent', status: 400 });
      expect(error.message).toMatch(/bad temperature/);
      expect(error.message).toContain('[cut]');
      expect(error.message.length).toBeLessThan(600);
    });

    test('a malformed reply: retryable', async () => {
      subject.play({ kind: 'malformed' });
      expect(await failure()).toMatchObject({ kind: 'retryable' });
    });

    test.each(['end', 'reset'] as const)(
      'a stream that stops early (%s): retryable, not a short reply',
      async (how) => {
        subject.play({ kind: 'cut', content: 'The answer is', how });
        expect(await failure()).toMatchObject({ kind: 'retryable' });
      },
    );

    test('an error in the middle of the stream: retryable, with its words', async () => {
      subject.play({ kind: 'error-in-stream', message: 'the engine died' });
      const error = await failure();
      expect(error).toMatchObject({ kind: 'retryable' });
      expect(error.message).toContain('the engine died');
    });

    test('context overflow: permanent and named so', async () => {
      const message =
        "This model's maximum context length is 4096 tokens. However, you requested 9000 tokens.";
      subject.play({ kind: 'error', status: 400, message, code: 'context_length_exceeded' });
      const error = await failure();
      expect(error).toMatchObject({ kind: 'permanent', status: 400 });
      expect(error.message).toContain(`larger than the context of ${subject.model}`);
    });

    test('nobody listens: retryable, names the address', async () => {
      const { backend, address } = subject.backendWithoutServer();
      const error = await failure(backend);
      expect(error).toMatchObject({ kind: 'retryable' });
      expect(error.message).toContain(`nothing answers at ${address} (ECONNREFUSED)`);
      await expect(backend.check(subject.model, AbortSignal.timeout(5000))).rejects.toThrow(address);
    });
  });
}
