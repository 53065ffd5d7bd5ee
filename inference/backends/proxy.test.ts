import { createServer, request as sendRequest, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startAnthropicServer } from '../../tests/anthropic-server.ts';
import { startBedrockServer } from '../../tests/bedrock-server.ts';
import { startOllamaServer } from '../../tests/ollama-server.ts';
import { startOpenAiServer } from '../../tests/openai-server.ts';
import type { ModelDefinition } from '../backend.ts';
import { createBackend } from '../backends.ts';

const account = {
  accessKeyId: 'AKIACANARY0123456789',
  secretAccessKey: 'canary/secret+5d41402abc4b2a76b9719d911017c5',
  sessionToken: 'session',
  region: 'eu-central-1',
};
const behave = () => ({ kind: 'reply', content: 'ready' }) as const;
const model = 'test-model';
const servers: { url: string; close(): Promise<void> }[] = [];
/** By backend: where it really is. */
const ports = new Map<string, string>();
/** Hosts that the proxy was asked for. */
let asked: string[] = [];
let proxy: Server;
let environment: Record<string, string>;

beforeAll(async () => {
  const started = await Promise.all([
    startOpenAiServer({ behave }),
    startAnthropicServer({ behave }),
    startOllamaServer({ behave, models: [model] }),
    startBedrockServer({ behave, models: [model], account }),
  ]);
  servers.push(...started);
  for (const [place, backend] of ['openai', 'anthropic', 'ollama', 'bedrock'].entries())
    ports.set(backend, new URL(started[place]!.url).port);
  // Whatever name it is asked for, the server here with that port is who answers.
  proxy = createServer((request, response) => {
    // Node's own agents ask a proxy for plain http by the whole address.
    const { host, port, pathname, search } = new URL(request.url!);
    asked.push(host);
    const { method, headers } = request;
    const options = { port, method, headers, path: pathname + search, agent: false } as const;
    const onward = sendRequest(options, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  proxy.on('connect', (request, socket, head) => {
    asked.push(request.url!);
    const onward = connect(Number(request.url!.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.write(head);
      socket.pipe(onward).pipe(socket);
    });
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  });
  await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  environment = { HTTP_PROXY: url, HTTPS_PROXY: url, NO_PROXY: 'direct.example' };
  const { accessKeyId, secretAccessKey, sessionToken } = account;
  Object.assign(environment, {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  });
});
afterAll(async () => {
  proxy.closeAllConnections();
  proxy.close();
  await Promise.all(servers.map((server) => server.close()));
});
beforeEach(() => (asked = []));

async function ask(backend: string, host: string): Promise<string> {
  const path = backend === 'openai' ? '/v1' : '';
  const definition: ModelDefinition = {
    name: 'test',
    backend,
    pool: 'test',
    model,
    url: `http://${host}:${ports.get(backend)}${path}`,
    region: account.region,
    contextTokens: 8000,
    maxTokens: 500,
    tags: [],
    timeoutMs: 20_000,
  };
  const one = await createBackend(definition, environment);
  const request = {
    model,
    role: 'coder',
    maxTokens: 99,
    tools: [],
    messages: [{ role: 'user' as const, content: 'Hello' }],
  };
  const signal = AbortSignal.timeout(20_000);
  await one.check(model, signal);
  return (await one.complete(request, { signal, onText: () => {} })).content;
}

const kinds = ['openai', 'anthropic', 'ollama', 'bedrock'];

test.each(kinds)('proxy: %s on this machine alone is asked without one', async (backend) => {
  expect(await ask(backend, '127.0.0.1')).toBe('ready');
  expect(asked).toEqual([]);
});

test.each(kinds)(
  'proxy: %s elsewhere is asked by way of the one that the environment names',
  async (backend) => {
    expect(await ask(backend, 'models.example')).toBe('ready');
    expect(asked.length).toBeGreaterThan(0);
    expect(new Set(asked)).toEqual(new Set([`models.example:${ports.get(backend)}`]));
  },
);

test.each(kinds)('proxy: %s on this machine is asked without one, also once another is', async (backend) => {
  for (const host of ['127.0.0.1', 'localhost']) expect(await ask(backend, host)).toBe('ready');
  expect(asked).toEqual([]);
});

test.each(['openai', 'ollama'])('proxy: %s at any loopback address is asked without one', async (backend) => {
  await expect(ask(backend, '127.3.2.1')).rejects.toThrow('nothing answers at http://127.3.2.1');
  expect(asked).toEqual([]);
});

test('proxy: what NO_PROXY names is asked without one', async () => {
  await expect(ask('openai', 'direct.example')).rejects.toThrow('nothing answers');
  expect(asked).toEqual([]);
});

test.each(kinds)(
  'proxy: %s behind one that answers nothing says so, without its password',
  async (backend) => {
    environment = { ...environment, HTTP_PROXY: 'http://user:hidden@127.0.0.1:9' };
    const error = await ask(backend, 'models.example').catch((one: Error) => one.message);
    expect(error).toMatch(
      /nothing answers at http:\/\/models\.example.*proxy that HTTPS_PROXY or HTTP_PROXY names/,
    );
    expect(error).not.toContain('hidden');
  },
);
