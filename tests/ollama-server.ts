import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { embeddingOf } from './model-behaviour.ts';
import type { Behaviour, PlayedToolCall } from './model-behaviour.ts';

/** A request to `/api/chat` as it came over the wire. */
export interface ChatRequest {
  model: string;
  messages: {
    role: string;
    content: string;
    tool_calls?: { id?: string; function: { name: string; arguments: Record<string, unknown> } }[];
    tool_name?: string;
    tool_call_id?: string;
  }[];
  tools?: object[];
  stream?: boolean;
  format?: unknown;
  keep_alive?: string | number;
  truncate?: boolean;
  shift?: boolean;
  options?: { num_ctx?: number; num_predict?: number; temperature?: number; top_p?: number };
}

export interface RecordedRequest {
  body: ChatRequest;
  headers: IncomingMessage['headers'];
  /** Set when the client hung up before the reply was whole. */
  aborted: boolean;
}

export interface OllamaServer {
  /** The server's root, `http://127.0.0.1:PORT`. */
  url: string;
  /** Chats asked for so far, in order. */
  requests: RecordedRequest[];
  /** Every request, as `POST /api/show`. */
  paths: string[];
  close(): Promise<void>;
}

/** What one call does beyond the words that hold for every provider. */
export type Play = Behaviour | { kind: 'lines'; lines: object[]; headers?: Record<string, string> };
export type Behave = (request: ChatRequest, index: number) => Play | Promise<Play>;

/**
 * Starts a loopback server that speaks Ollama's API by its documentation (docs/api.md of ollama/ollama) and its
 * source where that is silent (errors): `/api/chat`, `/api/tags`, `/api/show`, `/api/embed`, `/api/version`.
 * `models`: those it has, by name; `contextLength`: what they were made for. `key`: what a proxy before it wants.
 */
export async function startOllamaServer(options: {
  behave: Behave;
  models?: string[];
  contextLength?: number;
  version?: string;
  key?: string;
}): Promise<OllamaServer> {
  const { models = ['test-model:latest'], contextLength = 131_072, version = '0.32.4', key } = options;
  const requests: RecordedRequest[] = [];
  const paths: string[] = [];
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });

  /** A name without a tag means `latest`. */
  const has = (name: string) => models.includes(name) || models.includes(`${name}:latest`);
  const missing = (response: ServerResponse, name: string) =>
    sendJson(response, 404, { error: `model '${name}' not found` });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = `${request.method} ${request.url}`;
    paths.push(path);
    if (key !== undefined && request.headers.authorization !== `Bearer ${key}`)
      return sendJson(response, 401, { error: `unauthorized: ${request.headers.authorization ?? 'no key'}` });
    const text = await readBody(request);
    switch (path) {
      case 'GET /api/version':
        return sendJson(response, 200, { version });
      case 'GET /api/tags':
        return sendJson(response, 200, { models: models.map(tagOf) });
      case 'POST /api/show': {
        const { model } = JSON.parse(text) as { model: string };
        if (!has(model)) return missing(response, model);
        return sendJson(response, 200, {
          details: { format: 'gguf', family: 'qwen3' },
          model_info: {
            'general.architecture': 'qwen3',
            'qwen3.block_count': 36,
            'qwen3.context_length': contextLength,
          },
          capabilities: ['completion', 'tools'],
        });
      }
      case 'POST /api/embed':
        return sendEmbeddings(response, text);
      case 'POST /api/chat':
        return chat(request, response, text);
      default:
        response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found');
    }
  }

  async function chat(request: IncomingMessage, response: ServerResponse, text: string): Promise<void> {
    const body = JSON.parse(text) as ChatRequest;
    const record: RecordedRequest = { body, headers: request.headers, aborted: false };
    response.on('close', () => (record.aborted = !response.writableFinished));
    const index = requests.push(record) - 1;
    const wrong = wrongIn(body);
    if (wrong !== undefined) return sendJson(response, 400, { error: wrong });
    if (!has(body.model)) return missing(response, body.model);
    await play(await options.behave(body, index), body, response);
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    paths,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** What Go's decoder would not take: the types of the documented fields. */
function wrongIn(body: ChatRequest): string | undefined {
  for (const { role, content, tool_calls: calls = [] } of body.messages) {
    if (!['system', 'user', 'assistant', 'tool'].includes(role)) return `invalid role: ${role}`;
    if (typeof content !== 'string')
      return 'json: cannot unmarshal into Go struct field content of type string';
    for (const call of calls) {
      const given: unknown = call.function.arguments;
      if (typeof given !== 'object' || given === null || Array.isArray(given))
        return 'json: cannot unmarshal into Go struct field arguments of type map';
    }
  }
  return undefined;
}

const tagOf = (name: string) => ({
  name,
  model: name,
  modified_at: '2026-05-10T08:06:48.639712648-07:00',
  size: 4_683_075_271,
  digest: '0a8c266910232fd3291e71e5ba1e058cc5af9d411192cf88b6d30e92b6e73163',
  details: { format: 'gguf', family: 'qwen3', parameter_size: '7.6B', quantization_level: 'Q4_K_M' },
});

/** What Ollama says where a prompt does not fit. */
export const overflowWords =
  'the prompt is longer than the context length currently available to the model; shorten the prompt, adjust the context length in settings, or use a model with a longer context length';

async function play(behaviour: Play, body: ChatRequest, response: ServerResponse): Promise<void> {
  const frame = { model: body.model, created_at: '2026-11-20T08:52:19.385406455Z' };
  const open = (headers: Record<string, string> = {}) =>
    response.headersSent || response.writeHead(200, { 'content-type': 'application/x-ndjson', ...headers });
  const raw = (line: string) => {
    open();
    response.write(`${line}\n`);
  };
  const say = (message: object) =>
    raw(JSON.stringify({ ...frame, message: { role: 'assistant', content: '', ...message }, done: false }));
  switch (behaviour.kind) {
    case 'error': {
      const { status, headers, message = 'something went wrong', code } = behaviour;
      const error = code === 'context_length_exceeded' ? overflowWords : message;
      return sendJson(response, status, { error }, headers);
    }
    case 'raw':
      response.writeHead(behaviour.status, { 'content-type': behaviour.contentType }).end(behaviour.body);
      return;
    case 'lines':
      open(behaviour.headers);
      for (const line of behaviour.lines) raw(JSON.stringify({ ...frame, ...line }));
      response.end();
      return;
    case 'hang':
      if (behaviour.after !== undefined) say({ content: behaviour.after });
      return;
    case 'malformed':
      raw('{"model": "test-model", "message": {"role": "assist');
      response.end();
      return;
    case 'cut':
      say({ content: behaviour.content });
      // Let the words arrive before the connection goes.
      await sleep(20);
      if (behaviour.how === 'reset') response.destroy();
      else response.end();
      return;
    case 'error-in-stream':
      say({ content: 'The' });
      raw(JSON.stringify({ error: behaviour.message }));
      response.end();
      return;
    case 'reply': {
      const { content = '', toolCalls = [], pieceCharacters = 7, pieceDelayMs } = behaviour;
      // By characters, not by UTF-16 units: a server never sends half of one.
      const characters = Array.from(content);
      for (let at = 0; at < characters.length; at += pieceCharacters) {
        if (response.destroyed) return;
        say({ content: characters.slice(at, at + pieceCharacters).join('') });
        if (pieceDelayMs) await sleep(pieceDelayMs);
      }
      for (const [index, call] of toolCalls.entries()) say({ tool_calls: [callOf(call, index)] });
      const usage = behaviour.usage ?? { inputTokens: 100, outputTokens: 20 };
      raw(
        JSON.stringify({
          ...frame,
          message: { role: 'assistant', content: '' },
          done: true,
          done_reason: behaviour.finish === 'length' ? 'length' : 'stop',
          total_duration: 4_883_583_458,
          load_duration: 1_334_875,
          ...(usage !== 'absent' && {
            prompt_eval_count: usage.inputTokens,
            prompt_eval_duration: 342_546_000,
            eval_count: usage.outputTokens,
            eval_duration: 4_535_599_000,
          }),
        }),
      );
      response.end();
    }
  }
}

/** A call comes whole, its arguments parsed. */
function callOf(call: PlayedToolCall, index: number): object {
  const given = call.arguments === '' ? {} : call.arguments;
  return {
    ...(call.id !== undefined && { id: call.id }),
    function: { index, name: call.name, arguments: given },
  };
}

function sendEmbeddings(response: ServerResponse, body: string): void {
  const { model, input } = JSON.parse(body) as { model: string; input: string | string[] };
  const texts = typeof input === 'string' ? [input] : input;
  sendJson(response, 200, {
    model,
    embeddings: texts.map(embeddingOf),
    total_duration: 14_143_917,
    load_duration: 1_019_500,
    prompt_eval_count: texts.join('').length,
  });
}

function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response
    .writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers })
    .end(JSON.stringify(body));
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of request.setEncoding('utf8')) text += piece;
  return text;
}
