import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BackendError } from '../inference/backend.ts';
import type { Backend, ModelReply, ModelRequest } from '../inference/backend.ts';
import { capabilities } from '../schemas/model-backends.ts';
import { embeddingOf } from './model-behaviour.ts';
import type { Behaviour } from './model-behaviour.ts';

/** The cases of the contract, so that a subject can name those that its provider cannot express. */
export type ContractCase =
  | 'plain-reply'
  | 'stream'
  | 'usage-absent'
  | 'length'
  | 'tool-call'
  | 'parallel-tool-calls'
  | 'empty-arguments'
  | 'malformed-arguments'
  | 'unknown-tool'
  | 'no-tool-call'
  | 'text-tool-call'
  | 'conversation'
  | 'schema'
  | 'parameters'
  | 'request-id'
  | 'request-id-of-failure'
  | 'capabilities'
  | 'embeddings'
  | 'models'
  | 'cancel'
  | 'cancelled-before'
  | 'timeout'
  | 'silence'
  | 'slow-stream'
  | 'refused-key'
  | 'forbidden'
  | 'unknown-model'
  | 'check'
  | 'retry-after-seconds'
  | 'retry-after-date'
  | 'server-error'
  | 'other-refusal'
  | 'redirect'
  | 'malformed'
  | 'cut-end'
  | 'cut-reset'
  | 'error-in-stream'
  | 'context-overflow'
  | 'no-server';

/** How a reply is to be, as every role may ask. */
export type Parameters = { [Name in 'temperature' | 'topP' | 'maxTokens']: number | undefined };

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
  /** The JSON Schema that the server was asked to enforce at the last call, as it came over the wire. */
  schemaAsked?(): unknown;
  /** What the server was asked to keep to at the last call; a member that did not come over the wire is undefined. */
  parametersAsked(): Parameters;
  /** The id that the server gave each call, in order. */
  requestIds?(): string[];
  /** What this provider's API cannot express, and why. Such a case is skipped, and the reason is shown. */
  cannot?: Partial<Record<ContractCase, string>>;
  stop(): Promise<void>;
}

/** Within what the strict modes of all providers allow. */
const verdictSchema = {
  name: 'verdict',
  schema: {
    type: 'object',
    properties: {
      verdict: { type: 'string', enum: ['approve', 'reject'] },
      reasons: { type: 'array', items: { type: 'string' } },
    },
    required: ['verdict', 'reasons'],
    additionalProperties: false,
  },
};

/** Generous: only against a test that would hang. */
const patienceMs = 60_000;

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

    /** One case; skipped, with the reason, where the subject says that its provider cannot express it. */
    function contract(
      key: ContractCase,
      title: string,
      body: (skip: (why: string) => never) => Promise<void>,
    ) {
      test(title, async ({ skip }) => {
        const reason = subject.cannot?.[key];
        if (reason !== undefined) skip(reason);
        await body(skip);
      });
    }

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
      if (subject.key !== '') expect((error as BackendError).message).not.toContain(subject.key);
      return error as BackendError;
    }

    const call = (reply: ModelReply, position = 0) => reply.toolCalls[position];

    contract(
      'plain-reply',
      'a plain reply: comes whole, with the usage that the provider counted',
      async () => {
        const usage = { inputTokens: 321, outputTokens: 12 };
        subject.play({ kind: 'reply', content: 'The intervals are half-open.', usage });
        const { reply } = await complete();
        expect(reply).toMatchObject({
          content: 'The intervals are half-open.',
          toolCalls: [],
          finish: 'stop',
          usage: { ...usage, estimated: false },
        });
      },
    );

    contract('stream', 'a stream: text arrives piece by piece and adds up to the reply', async () => {
      const content = 'Die Prüfung „größer“ war falsch: <= statt <. 🙂';
      subject.play({ kind: 'reply', content, pieceCharacters: 3 });
      const { reply, texts } = await complete();
      expect(texts.length).toBeGreaterThan(5);
      expect(texts.join('')).toBe(content);
      expect(reply.content).toBe(content);
    });

    contract('usage-absent', 'usage: estimated and named so where the provider does not count', async () => {
      subject.play({ kind: 'reply', content: 'x'.repeat(400), usage: 'absent' });
      const { reply } = await complete();
      expect(reply.usage.estimated).toBe(true);
      expect(reply.usage.outputTokens).toBe(100);
      expect(reply.usage.inputTokens).toBeGreaterThan(10);
    });

    contract('length', 'a reply cut by maxTokens: says so', async () => {
      subject.play({ kind: 'reply', content: 'The inter', finish: 'length' });
      expect((await complete()).reply).toMatchObject({ content: 'The inter', finish: 'length' });
    });

    contract(
      'tool-call',
      'a tool call: arguments split in the middle of their JSON come together',
      async () => {
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
      },
    );

    contract(
      'parallel-tool-calls',
      'parallel tool calls: stay apart and in order, each with an id of its own',
      async () => {
        const paths = ['a.ts', 'b.ts', 'c.ts'];
        const toolCalls = paths.map((path) => ({
          id: `call_${path}`,
          name: 'read-file',
          arguments: { path },
        }));
        subject.play({ kind: 'reply', toolCalls });
        const { reply } = await complete();
        expect(reply.toolCalls.map((each) => each.arguments)).toEqual(paths.map((path) => ({ path })));
        expect(new Set(reply.toolCalls.map((each) => each.id)).size).toBe(3);
      },
    );

    contract('empty-arguments', 'a tool call without arguments: is an empty object', async () => {
      subject.play({ kind: 'reply', toolCalls: [{ id: 'call_a', name: 'run-tests', arguments: '' }] });
      expect(call((await complete()).reply)).toMatchObject({ name: 'run-tests', arguments: {} });
    });

    for (const broken of ['{"path": "a.ts', '["a.ts"]', 'path=a.ts'])
      contract(
        'malformed-arguments',
        `malformed arguments: ${broken} is kept word for word, and is no error of the call`,
        async () => {
          subject.play({
            kind: 'reply',
            toolCalls: [{ id: 'call_a', name: 'read-file', arguments: broken }],
          });
          expect(call((await complete()).reply)).toMatchObject({ arguments: null, invalidArguments: broken });
        },
      );

    contract('unknown-tool', 'an unknown tool: passes through, for the caller to answer', async () => {
      subject.play({ kind: 'reply', toolCalls: [{ id: 'call_a', name: 'rm_rf', arguments: { path: '/' } }] });
      expect(call((await complete()).reply)).toMatchObject({ name: 'rm_rf', arguments: { path: '/' } });
    });

    contract('no-tool-call', 'a model that never calls a tool: its words are the reply', async () => {
      subject.play({ kind: 'reply', content: 'You should read the file { "name": 1 }.' });
      expect((await complete()).reply).toMatchObject({ finish: 'stop', toolCalls: [] });
    });

    contract(
      'text-tool-call',
      'a tool call written as text: is taken as the call, if the tool is known',
      async () => {
        subject.play(
          { kind: 'reply', content: '{"name": "read-file", "arguments": {"path": "a.ts"}}' },
          { kind: 'reply', content: '{"name": "Ada", "arguments": {"path": "a.ts"}}' },
        );
        const known = (await complete()).reply;
        expect(known).toMatchObject({ content: '', finish: 'tool_calls' });
        expect(call(known)).toMatchObject({ name: 'read-file', arguments: { path: 'a.ts' } });
        expect((await complete()).reply).toMatchObject({ finish: 'stop', toolCalls: [] });
      },
    );

    contract(
      'conversation',
      'a conversation: calls and results of earlier turns are taken, broken ones and odd ids included',
      async () => {
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
      },
    );

    contract(
      'schema',
      'a schema: the server is asked to enforce it, and the text is the JSON',
      async (skip) => {
        if (!subject.backend().capabilities.includes('json-schema')) skip('it declares no json-schema');
        const verdict = { verdict: 'reject', reasons: ['"<=" should be "<"'] };
        subject.play({ kind: 'reply', content: JSON.stringify(verdict) });
        const { reply } = await complete(subject.backend(), { tools: [], schema: verdictSchema });
        expect(JSON.parse(reply.content)).toEqual(verdict);
        expect(reply).toMatchObject({ toolCalls: [], finish: 'stop' });
        expect(subject.schemaAsked?.()).toEqual(verdictSchema.schema);
        // Without one, nothing is asked for.
        await complete();
        expect(subject.schemaAsked?.()).toBeUndefined();
      },
    );

    contract('parameters', 'temperature, topP and maxTokens: reach the model, each by itself', async () => {
      const content = Array.from({ length: 40 }, (_, place) => `word ${place}`).join(' ');
      subject.play({ kind: 'reply', content });
      const backend = subject.backend();
      // Not together: some models take but one of the two.
      for (const given of [{ temperature: 0.25 }, { topP: 0.75 }]) {
        await complete(backend, { ...given, maxTokens: 20 });
        expect(subject.parametersAsked()).toMatchObject({ ...given, maxTokens: 20 });
      }
    });

    contract('request-id', 'the id of a request: is on the reply', async () => {
      subject.play({ kind: 'reply', content: 'ready' });
      const { reply } = await complete();
      expect(reply.requestId).toMatch(/./);
      expect(reply.requestId).toBe(subject.requestIds?.()[0]);
    });

    contract('request-id-of-failure', 'the id of a request: is on its failure too', async () => {
      subject.play({ kind: 'error', status: 500 }, { kind: 'cut', content: 'The answer', how: 'end' });
      const backend = subject.backend();
      const ids = [(await failure(backend)).requestId, (await failure(backend)).requestId];
      expect(ids[0]).toMatch(/./);
      expect(ids).toEqual(subject.requestIds?.());
    });

    contract('capabilities', 'capabilities: are declared, and what is declared is there', async () => {
      const backend = subject.backend();
      expect(capabilities).toEqual(expect.arrayContaining([...backend.capabilities]));
      expect(backend.capabilities).toContain('tools');
      expect(backend.capabilities).toContain('streaming');
      expect(backend.embed !== undefined).toBe(backend.capabilities.includes('embeddings'));
    });

    contract('embeddings', 'embeddings: one vector a text, in order, with the tokens read', async (skip) => {
      const backend = subject.backend();
      if (!backend.embed) skip('it declares no embeddings');
      const texts = ['an interval', 'größer', 'x'];
      const { vectors, inputTokens } = await backend.embed!(texts, AbortSignal.timeout(patienceMs));
      expect(vectors).toEqual(texts.map(embeddingOf));
      expect(inputTokens).toBeGreaterThan(0);
      const gone = subject.backendWithoutServer().backend.embed!(texts, AbortSignal.timeout(patienceMs));
      await expect(gone).rejects.toMatchObject({ name: 'BackendError', kind: 'retryable' });
    });

    contract('models', 'models: all that the server has, by name', async (skip) => {
      const backend = subject.backend();
      if (!backend.models) skip('it has no list of models');
      const listed = await backend.models!(AbortSignal.timeout(patienceMs));
      expect(listed.toSorted()).toEqual(subject.models.toSorted());
      expect(subject.calls().count).toBe(0);
    });

    contract('cancel', 'cancel: ends at once in the middle of a stream, and the server notices', async () => {
      subject.play({ kind: 'reply', content: 'word '.repeat(500), pieceDelayMs: 100 });
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
      // The whole reply would take twice as long.
      expect(performance.now() - cancelledAt).toBeLessThan(15_000);
      await expect.poll(() => subject.calls().lastAborted).toBe(true);
    });

    contract('cancelled-before', 'cancelled before it began: asks nothing', async () => {
      subject.play({ kind: 'reply', content: 'never' });
      const call = subject.backend().complete(request(), { signal: AbortSignal.abort(), onText: () => {} });
      await expect(call).rejects.toMatchObject({ message: 'the call was cancelled' });
      expect(subject.calls().count).toBe(0);
    });

    contract('timeout', 'a server that never answers: retryable after the timeout', async () => {
      subject.play({ kind: 'hang' });
      const error = await failure(subject.backend({ timeoutMs: 150 }));
      expect(error).toMatchObject({ kind: 'retryable' });
      expect(error.message).toContain('did not finish within 150 ms');
    });

    contract('silence', 'a stream that falls silent: retryable long before the timeout', async () => {
      subject.play({ kind: 'hang', after: 'I am about to' });
      const error = await failure(subject.backend({ timeoutMs: 60_000, idleTimeoutMs: 100 }));
      expect(error).toMatchObject({ kind: 'retryable' });
      expect(error.message).toContain('fell silent for 100 ms');
    });

    contract('slow-stream', 'a slow stream: is no silence as long as words come', async () => {
      subject.play({ kind: 'reply', content: 'x'.repeat(10), pieceCharacters: 1, pieceDelayMs: 200 });
      expect((await complete(subject.backend({ idleTimeoutMs: 1500 }))).reply.content).toBe('x'.repeat(10));
    });

    contract('refused-key', 'a key that is refused: permanent, names the variable', async () => {
      const error = await failure(subject.backendWithWrongKey());
      expect(error).toMatchObject({ kind: 'permanent', status: 401 });
      expect(error.message).toContain(subject.apiKeyVariable);
      await expect(
        subject.backendWithWrongKey().check(subject.model, AbortSignal.timeout(patienceMs)),
      ).rejects.toThrow(subject.apiKeyVariable);
    });

    contract('forbidden', '403: permanent, names the variable', async () => {
      subject.play({ kind: 'error', status: 403, message: `no access for ${subject.key}` });
      const error = await failure();
      expect(error).toMatchObject({ kind: 'permanent', status: 403 });
      expect(error.message).toContain(subject.apiKeyVariable);
    });

    contract(
      'unknown-model',
      'an unknown model: permanent, lists those there are and the nearest',
      async () => {
        const asked = `${subject.model}x`;
        subject.play({ kind: 'reply', content: 'never' });
        const signal = AbortSignal.timeout(patienceMs);
        const fromCheck = await subject
          .backend()
          .check(asked, signal)
          .catch((error: unknown) => error);
        for (const error of [await failure(subject.backend(), { model: asked }), fromCheck as BackendError]) {
          expect(error).toMatchObject({ kind: 'permanent', status: 404 });
          for (const model of subject.models) expect(error.message).toContain(model);
          expect(error.message).toContain(`did you mean ${subject.model}?`);
        }
      },
    );

    contract('check', 'check: a model that the server has costs no call', async () => {
      await subject.backend().check(subject.model, AbortSignal.timeout(patienceMs));
      expect(subject.calls().count).toBe(0);
    });

    async function rateLimited(retryAfter: string): Promise<number | undefined> {
      subject.play({
        kind: 'error',
        status: 429,
        headers: { 'retry-after': retryAfter },
        message: 'slow down',
      });
      const error = await failure();
      expect(error).toMatchObject({ kind: 'retryable', status: 429 });
      return error.retryAfterMs;
    }

    contract(
      'retry-after-seconds',
      '429 with Retry-After in seconds: retryable, after that time',
      async () => {
        expect(await rateLimited('7')).toBe(7000);
      },
    );

    contract('retry-after-date', '429 with Retry-After as a date: retryable, after that time', async () => {
      const waitMs = await rateLimited(new Date(Date.now() + 600_000).toUTCString());
      // The clock has gone on meanwhile, on a busy machine by seconds.
      expect(waitMs).toBeGreaterThan(500_000);
      expect(waitMs).toBeLessThanOrEqual(600_000);
    });

    contract('server-error', '500 and 503: retryable, one call each, and then success', async () => {
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

    contract(
      'other-refusal',
      'another refusal: permanent, with what the server said, openly cut',
      async () => {
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
      },
    );

    contract('redirect', 'a redirect: is not followed, whatever may be there', async () => {
      // Prompt and key would go where nobody allowed it; of a local model, off this machine.
      const elsewhere = createServer((_, response) => void response.end());
      await new Promise<void>((resolve) => void elsewhere.listen(0, '127.0.0.1', resolve));
      const arrived: unknown[] = [];
      elsewhere.on('connection', (socket) => arrived.push(socket));
      const origin = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`;
      try {
        const headers = { location: `${origin}/there?token=secret` };
        subject.play({ kind: 'error', status: 307, headers });
        const error = await failure();
        expect(error).toMatchObject({ kind: 'permanent', status: 307 });
        expect(error.message).toContain(`redirects to ${origin}/there (307), which is not followed`);
        expect(arrived).toEqual([]);
      } finally {
        elsewhere.close();
      }
    });

    contract('malformed', 'a malformed reply: retryable', async () => {
      subject.play({ kind: 'malformed' });
      expect(await failure()).toMatchObject({ kind: 'retryable' });
    });

    for (const how of ['end', 'reset'] as const)
      contract(`cut-${how}`, `a stream that stops early (${how}): retryable, not a short reply`, async () => {
        subject.play({ kind: 'cut', content: 'The answer is', how });
        expect(await failure()).toMatchObject({ kind: 'retryable' });
      });

    contract(
      'error-in-stream',
      'an error in the middle of the stream: retryable, with its words',
      async () => {
        subject.play({ kind: 'error-in-stream', message: 'the engine died' });
        const error = await failure();
        expect(error).toMatchObject({ kind: 'retryable' });
        expect(error.message).toContain('the engine died');
      },
    );

    contract('context-overflow', 'context overflow: permanent and named so', async () => {
      const message =
        "This model's maximum context length is 4096 tokens. However, you requested 9000 tokens.";
      subject.play({ kind: 'error', status: 400, message, code: 'context_length_exceeded' });
      const error = await failure();
      expect(error).toMatchObject({ kind: 'permanent', status: 400 });
      expect(error.message).toContain(`larger than the context of ${subject.model}`);
    });

    contract('no-server', 'nobody listens: retryable, names the address', async () => {
      const { backend, address } = subject.backendWithoutServer();
      const error = await failure(backend);
      expect(error).toMatchObject({ kind: 'retryable' });
      expect(error.message).toContain(`nothing answers at ${address} (ECONNREFUSED)`);
      await expect(backend.check(subject.model, AbortSignal.timeout(patienceMs))).rejects.toThrow(address);
    });
  });
}
