import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelDefinition } from '../inference/backend.ts';
import { embeddingOf } from './model-behaviour.ts';
import type { Behaviour, PlayedToolCall } from './model-behaviour.ts';
import { playResponses, responsesRefusal } from './openai-responses.ts';
import type { ResponsesRequest } from './openai-responses.ts';

/** A chat-completions request as it came over the wire, the parts that a test or a played session looks at. */
export interface ChatRequest {
  model: string;
  messages: ChatMessage[];
  tools?: { type: string; function: { name: string; description?: string; parameters?: unknown } }[];
  stream?: boolean;
  stream_options?: { include_usage?: boolean };
  max_tokens?: number;
  max_completion_tokens?: number;
  temperature?: number;
  top_p?: number;
  response_format?: {
    type: string;
    json_schema?: { name: string; schema: Record<string, unknown>; strict?: boolean };
  };
}

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant' | 'tool';
  content: string | null;
  tool_calls?: { id: string; type: string; function: { name: string; arguments: string } }[];
  tool_call_id?: string;
}

export interface RecordedRequest<Body = ChatRequest> {
  body: Body;
  headers: IncomingMessage['headers'];
  /** Set when the client hung up before the reply was whole. */
  aborted: boolean;
}

export interface OpenAiServer {
  /** The API's root, `http://127.0.0.1:PORT/v1`. */
  url: string;
  /** Chat completions asked for so far, in order; not the lists of models. */
  requests: RecordedRequest[];
  /** What the responses API was asked. */
  responsesRequests: RecordedRequest<ResponsesRequest>[];
  /** Every path that was asked for, in order. */
  paths: string[];
  /** Drops every connection. */
  close(): Promise<void>;
}

/** Decides what the server does with a request; `index` counts from 0 over the server's life. */
export type Behave = (request: ChatRequest, index: number) => Behaviour | Promise<Behaviour>;

/** An entry for such a server, as a backend is created from. */
export const definitionAt = (url: string): ModelDefinition => ({
  name: 'test',
  backend: 'openai',
  pool: 'test',
  model: 'test-model',
  url,
  contextTokens: 8000,
  maxTokens: 500,
  tags: [],
  timeoutMs: 20_000,
});

/**
 * Starts a loopback server that speaks the OpenAI chat-completions API by its documentation: `POST
 * /v1/chat/completions` (streamed), `POST /v1/embeddings` and `GET /v1/models`. `models`: those it has (any other is a
 * 404); by default it lists `test-model` and takes every name. `key`: the one it wants; none by default. The id of the
 * n-th chat completion is `request-n`, counted from 0. `behaveAsResponses`: it speaks the responses API too.
 * `isLitellm`: it answers as a LiteLLM gateway does, in what differs.
 */
export async function startOpenAiServer(options: {
  behave: Behave;
  behaveAsResponses?: (request: ResponsesRequest, index: number) => Behaviour;
  isLitellm?: boolean;
  models?: string[];
  key?: string;
  port?: number;
}): Promise<OpenAiServer> {
  const requests: RecordedRequest[] = [];
  const responsesRequests: RecordedRequest<ResponsesRequest>[] = [];
  const paths: string[] = [];
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    paths.push(request.url ?? '');
    if (options.isLitellm && request.url === '/health/liveliness')
      return sendJson(response, 200, "I'm alive!");
    if (options.key !== undefined && request.headers.authorization !== `Bearer ${options.key}`) {
      const message = `Incorrect API key provided: ${request.headers.authorization ?? ''}`;
      return sendError(response, { kind: 'error', status: 401, message, code: 'invalid_api_key' });
    }
    if (request.method === 'GET' && request.url === '/v1/models') {
      const data = (options.models ?? ['test-model']).map((id) => ({
        id,
        object: 'model',
        created: 0,
        owned_by: 'test',
      }));
      return sendJson(response, 200, { object: 'list', data });
    }
    if (request.method === 'POST' && request.url === '/v1/embeddings') {
      return sendEmbeddings(response, await readBody(request));
    }
    if (request.method === 'POST' && request.url === '/v1/responses' && options.behaveAsResponses)
      return respond(request, response, options.behaveAsResponses);
    if (request.method !== 'POST' || request.url !== '/v1/chat/completions') {
      return sendError(response, { kind: 'error', status: 404, message: `no such path: ${request.url}` });
    }
    const { body, index } = await record(request, response, requests);
    if (options.isLitellm) response.setHeader('x-litellm-call-id', `call-${index}`);
    if (options.models && !options.models.includes(body.model)) {
      if (options.isLitellm) return sendError(response, litellmUnknownModel(body.model));
      const message = `The model '${body.model}' does not exist`;
      return sendError(response, { kind: 'error', status: 404, message, code: 'model_not_found' });
    }
    await play(await options.behave(body, index), body, response, index);
  }

  async function respond(
    request: IncomingMessage,
    response: ServerResponse,
    behave: (request: ResponsesRequest, index: number) => Behaviour,
  ): Promise<void> {
    const { body, index } = await record(request, response, responsesRequests);
    const refusal = responsesRefusal(body, options.models);
    const behaviour = refusal ?? behave(body, index);
    if (behaviour.kind === 'error') return sendError(response, behaviour);
    if (behaviour.kind === 'raw') return sendRaw(response, behaviour);
    await playResponses(behaviour, body, response, index);
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    responsesRequests,
    paths,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Takes a request down, and gives it its id. */
async function record<Body>(
  request: IncomingMessage,
  response: ServerResponse,
  requests: RecordedRequest<Body>[],
): Promise<{ body: Body; index: number }> {
  const body = JSON.parse(await readBody(request)) as Body;
  const recorded: RecordedRequest<Body> = { body, headers: request.headers, aborted: false };
  response.on('close', () => (recorded.aborted = !response.writableFinished));
  const index = requests.push(recorded) - 1;
  response.setHeader('x-request-id', `request-${index}`);
  return { body, index };
}

/** Not 404, and the code repeats the status. */
function litellmUnknownModel(model: string): Extract<Behaviour, { kind: 'error' }> {
  const message = `/chat/completions: Invalid model name passed in model=${model}. Call \`/v1/models\` to view available models for your key.`;
  return { kind: 'error', status: 400, message, type: 'invalid_request_error', code: '400' };
}

async function play(
  behaviour: Behaviour,
  body: ChatRequest,
  response: ServerResponse,
  index: number,
): Promise<void> {
  const stream = () => openStream(response, body, index);
  switch (behaviour.kind) {
    case 'error':
      return sendError(response, behaviour);
    case 'raw':
      return sendRaw(response, behaviour);
    case 'hang':
      // Nothing more is written; the connection stays until the client or the test closes it.
      if (behaviour.after !== undefined) stream().delta({ content: behaviour.after });
      return;
    case 'malformed':
      stream().raw('{"id": "chatcmpl-1", "choices": [{"delta": {"cont');
      response.end();
      return;
    case 'cut':
      stream().delta({ content: behaviour.content });
      // Let the words arrive before the connection goes.
      await sleep(20);
      if (behaviour.how === 'reset') response.destroy();
      else response.end();
      return;
    case 'error-in-stream': {
      const { message, code } = behaviour;
      stream().raw(JSON.stringify({ error: { message, code, type: 'server_error' } }));
      response.end();
      return;
    }
    case 'reply':
      return playReply(behaviour, body, response, stream());
  }
}

type Reply = Extract<Behaviour, { kind: 'reply' }>;

async function playReply(
  reply: Reply,
  body: ChatRequest,
  response: ServerResponse,
  out: EventStream,
): Promise<void> {
  const calls = reply.toolCalls ?? [];
  const pieces = [
    { role: 'assistant', content: '' },
    ...split(reply.content ?? '', reply).map((content) => ({ content })),
    ...calls.flatMap((call, position) => callPieces(call, position, reply)),
  ];
  for (const piece of pieces) {
    if (response.destroyed) return;
    out.delta(piece);
    if (reply.pieceDelayMs) await sleep(reply.pieceDelayMs);
  }
  out.delta({}, reply.finish ?? (calls.length > 0 ? 'tool_calls' : 'stop'));
  if (body.stream_options?.include_usage && reply.usage !== 'absent') {
    const { inputTokens, outputTokens } = reply.usage ?? { inputTokens: 100, outputTokens: 20 };
    out.usage({
      prompt_tokens: inputTokens,
      completion_tokens: outputTokens,
      total_tokens: inputTokens + outputTokens,
    });
  }
  out.raw('[DONE]');
  response.end();
}

function callPieces(call: PlayedToolCall, position: number, reply: Reply): object[] {
  const index =
    reply.callIndex === 'absent' ? {} : { index: reply.callIndex === 'always-zero' ? 0 : position };
  const text = typeof call.arguments === 'string' ? call.arguments : JSON.stringify(call.arguments);
  const opening = { ...index, ...(call.id !== undefined && { id: call.id }), type: 'function' };
  return [
    { tool_calls: [{ ...opening, function: { name: call.name, arguments: '' } }] },
    ...split(text, reply).map((piece) => ({ tool_calls: [{ ...index, function: { arguments: piece } }] })),
  ];
}

function split(text: string, reply: Reply): string[] {
  const length = reply.pieceCharacters ?? 7;
  return Array.from({ length: Math.ceil(text.length / length) }, (_, piece) => {
    return text.slice(piece * length, (piece + 1) * length);
  });
}

interface EventStream {
  delta(delta: object, finish?: string): void;
  usage(usage: object): void;
  raw(data: string): void;
}

function openStream(response: ServerResponse, body: ChatRequest, index: number): EventStream {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const raw = (data: string) => void response.write(`data: ${data}\n\n`);
  const frame = { id: `chatcmpl-${index}`, object: 'chat.completion.chunk', created: 0, model: body.model };
  return {
    raw,
    delta(delta, finish) {
      raw(JSON.stringify({ ...frame, choices: [{ index: 0, delta, finish_reason: finish ?? null }] }));
    },
    usage: (usage) => raw(JSON.stringify({ ...frame, choices: [], usage })),
  };
}

function sendEmbeddings(response: ServerResponse, body: string): void {
  const { model, input } = JSON.parse(body) as { model: string; input: string | string[] };
  const texts = typeof input === 'string' ? [input] : input;
  const data = texts.map((text, index) => ({ object: 'embedding', index, embedding: embeddingOf(text) }));
  const tokens = texts.join('').length;
  const usage = { prompt_tokens: tokens, total_tokens: tokens };
  // In any order, as the documentation allows; the index counts.
  sendJson(response, 200, { object: 'list', model, data: data.toReversed(), usage });
}

function sendError(response: ServerResponse, error: Extract<Behaviour, { kind: 'error' }>): void {
  const {
    status,
    headers,
    message = 'something went wrong',
    code = null,
    type = 'error',
    param = null,
  } = error;
  sendJson(response, status, { error: { message, type, param, code } }, headers);
}

function sendRaw(response: ServerResponse, raw: Extract<Behaviour, { kind: 'raw' }>): void {
  response.writeHead(raw.status, { 'content-type': raw.contentType }).end(raw.body);
}

function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of request.setEncoding('utf8')) text += piece;
  return text;
}
