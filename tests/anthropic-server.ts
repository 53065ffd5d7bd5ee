import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Behaviour } from './model-behaviour.ts';

interface Block {
  type: string;
  text?: string;
  id?: string;
  name?: string;
  input?: unknown;
  tool_use_id?: string;
  content?: unknown;
  is_error?: boolean;
  cache_control?: { type: string };
}

/** A request to `/v1/messages` as it came over the wire. */
export interface MessagesRequest {
  model: string;
  max_tokens: number;
  stream?: boolean;
  system?: string | Block[];
  messages: { role: string; content: string | Block[] }[];
  tools?: {
    name: string;
    description?: string;
    input_schema: Record<string, unknown>;
    cache_control?: object;
  }[];
  tool_choice?: { type: string };
  temperature?: number;
  top_p?: number;
  thinking?: { type: string };
  output_config?: { format?: { type: string; schema: Record<string, unknown> } };
}

export interface RecordedRequest {
  body: MessagesRequest;
  headers: IncomingMessage['headers'];
  /** Set when the client hung up before the reply was whole. */
  aborted: boolean;
}

export interface AnthropicServer {
  /** The API's root, `http://127.0.0.1:PORT`. */
  url: string;
  /** Messages asked for so far, in order. */
  requests: RecordedRequest[];
  close(): Promise<void>;
}

/** What one call does beyond the words that hold for every provider: events by their names, in order. */
export type Play =
  | Behaviour
  | { kind: 'events'; events: { type: string; [member: string]: unknown }[]; pauseMs?: number };
export type Behave = (request: MessagesRequest, index: number) => Play | Promise<Play>;

/**
 * Starts a loopback server that speaks Anthropic's Messages API by its documentation: `POST /v1/messages` (streamed,
 * `anthropic-version: 2026-10-21`, or the one before), `GET /v1/models` and `GET /v1/models/ID`. It refuses what the documentation says
 * the API refuses. `models`: those it has; `maxInputTokens`: their context. The n-th message has the id `req_n`.
 */
export async function startAnthropicServer(options: {
  behave: Behave;
  models?: string[];
  maxInputTokens?: number;
  key?: string;
}): Promise<AnthropicServer> {
  const { models = ['test-model'], maxInputTokens = 200_000, key } = options;
  const requests: RecordedRequest[] = [];
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  const modelOf = (id: string) => ({
    type: 'model',
    id,
    display_name: id,
    created_at: '2026-02-19T00:00:00Z',
    max_input_tokens: maxInputTokens,
    max_tokens: 64_000,
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://127.0.0.1');
    const given = request.headers['x-api-key'];
    if (key !== undefined && given !== key)
      return sendError(response, 401, 'authentication_error', `invalid x-api-key: ${String(given)}`);
    if (request.method === 'GET' && pathname === '/v1/models') {
      const data = models.map(modelOf);
      return sendJson(response, 200, { data, has_more: false, first_id: models[0], last_id: models.at(-1) });
    }
    const id = /^\/v1\/models\/(.+)$/.exec(pathname)?.[1];
    if (request.method === 'GET' && id !== undefined) {
      const name = decodeURIComponent(id);
      if (!models.includes(name)) return sendError(response, 404, 'not_found_error', `model: ${name}`);
      return sendJson(response, 200, modelOf(name));
    }
    if (request.method !== 'POST' || pathname !== '/v1/messages')
      return sendError(response, 404, 'not_found_error', 'Not found');
    const body = JSON.parse(await readBody(request)) as MessagesRequest;
    const record: RecordedRequest = { body, headers: request.headers, aborted: false };
    response.on('close', () => (record.aborted = !response.writableFinished));
    const index = requests.push(record) - 1;
    response.setHeader('request-id', `req_${index}`);
    const wrong = wrongVersion(request.headers['anthropic-version'], body) ?? wrongIn(body);
    if (wrong !== undefined) return sendError(response, 400, 'invalid_request_error', wrong);
    if (!models.includes(body.model))
      return sendError(response, 404, 'not_found_error', `model: ${body.model}`);
    await play(await options.behave(body, index), body, response, index);
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The API's versions; the newer one has neither of the two, whatever the model. */
function wrongVersion(version: unknown, body: MessagesRequest): string | undefined {
  if (version === undefined) return 'anthropic-version: header is required';
  if (version !== '2026-10-21' && version !== '2023-06-01')
    return `anthropic-version: "${String(version)}" is not a valid version`;
  const more = (['temperature', 'top_p'] as const).find((name) => body[name] !== undefined);
  if (version === '2026-10-21' && more !== undefined) return `${more}: Extra inputs are not permitted`;
  return undefined;
}

const blocksOf = (content: string | Block[]): Block[] =>
  typeof content === 'string' ? [{ type: 'text', text: content }] : content;

/** What the documentation says is refused, in the API's words. */
function wrongIn({
  messages,
  tools = [],
  system = [],
  max_tokens: maxTokens,
  temperature,
}: MessagesRequest): string | undefined {
  if (!(maxTokens > 0)) return 'max_tokens: Field required';
  if (temperature !== undefined && temperature > 1) return 'temperature: range: 0..1';
  if (messages.length === 0) return 'messages: at least one message is required';
  if (messages[0]!.role !== 'user') return 'messages: first message must use the "user" role';
  const marks: unknown[] = [
    ...blocksOf(system),
    ...tools,
    ...messages.flatMap(({ content }) => blocksOf(content)),
  ];
  if (marks.filter((one) => Object.hasOwn(one as object, 'cache_control')).length > 4)
    return 'A maximum of 4 blocks with cache_control may be provided.';
  for (const tool of tools) {
    if (!/^[a-zA-Z0-9_-]{1,64}$/.test(tool.name))
      return `tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'`;
    if (tool.input_schema['type'] !== 'object')
      return "tools.0.custom.input_schema.type: Input should be 'object'";
  }
  for (const [place, { role, content }] of messages.entries()) {
    if (role !== 'user' && role !== 'assistant')
      return `messages.${place}.role: Input should be 'user' or 'assistant'`;
    if (messages[place + 1]?.role === role)
      return 'messages: roles must alternate between "user" and "assistant"';
    const called = blocksOf(messages[place - 1]?.content ?? []).filter((block) => block.type === 'tool_use');
    const wrong = wrongInTurn(
      blocksOf(content),
      called.map((call) => call.id),
      tools.length > 0,
    );
    if (wrong !== undefined) return `messages.${place}: ${wrong}`;
  }
  return undefined;
}

function wrongInTurn(blocks: Block[], called: (string | undefined)[], hasTools: boolean): string | undefined {
  for (const [at, block] of blocks.entries()) {
    if (block.type === 'text' && (block.text ?? '').trim() === '')
      return 'text content blocks must contain non-whitespace text';
    const id = block.type === 'tool_use' ? block.id : block.tool_use_id;
    if (id === undefined) continue;
    if (!hasTools) return 'Requests which include `tool_use` or `tool_result` blocks must define tools';
    if (!/^[a-zA-Z0-9_-]+$/.test(id)) return `String should match pattern '^[a-zA-Z0-9_-]+$'`;
    if (block.type === 'tool_use' && !/^[a-zA-Z0-9_-]{1,64}$/.test(block.name ?? ''))
      return 'tool_use.name: String should match pattern';
    if (block.type === 'tool_use') continue;
    if (!called.includes(id)) return 'unexpected `tool_use_id` found in `tool_result` blocks';
    if (blocks.slice(0, at).some((one) => one.type !== 'tool_result'))
      return '`tool_result` blocks must come first';
  }
  const answered = new Set(blocks.map((block) => block.tool_use_id));
  if (called.some((id) => !answered.has(id)))
    return '`tool_use` ids were found without `tool_result` blocks immediately after';
  return undefined;
}

async function play(
  behaviour: Play,
  body: MessagesRequest,
  response: ServerResponse,
  index: number,
): Promise<void> {
  const send = (type: string, more: object = {}) => {
    if (!response.headersSent)
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`);
  };
  const usage = {
    input_tokens: 100,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens: 1,
  };
  const start = (counted: object | undefined = usage) =>
    send('message_start', {
      message: {
        id: `msg_${index}`,
        type: 'message',
        role: 'assistant',
        model: body.model,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        ...(counted && { usage: counted }),
      },
    });
  const open = (at: number, block: object) =>
    send('content_block_start', { index: at, content_block: block });
  const delta = (at: number, piece: object) => send('content_block_delta', { index: at, delta: piece });
  const say = (text: string) => {
    start();
    open(0, { type: 'text', text: '' });
    delta(0, { type: 'text_delta', text });
  };
  switch (behaviour.kind) {
    case 'error': {
      const { status, headers, message = 'something went wrong', code } = behaviour;
      const words =
        code === 'context_length_exceeded' ? 'prompt is too long: 9000 tokens > 4096 maximum' : message;
      return sendError(response, status, typeOf(status), words, headers);
    }
    case 'raw':
      response.writeHead(behaviour.status, { 'content-type': behaviour.contentType }).end(behaviour.body);
      return;
    case 'events':
      for (const { type, ...more } of behaviour.events) {
        send(type, more);
        if (behaviour.pauseMs) await sleep(behaviour.pauseMs);
      }
      response.end();
      return;
    case 'hang':
      if (behaviour.after !== undefined) say(behaviour.after);
      return;
    case 'malformed':
      start();
      response.write('event: content_block_delta\ndata: {"type": "content_block_delta", "del\n\n');
      response.end();
      return;
    case 'cut':
      say(behaviour.content);
      // Let the words arrive before the connection goes.
      await sleep(20);
      if (behaviour.how === 'reset') response.destroy();
      else response.end();
      return;
    case 'error-in-stream':
      say('The');
      send('error', { error: { type: 'api_error', message: behaviour.message } });
      response.end();
      return;
    case 'reply': {
      const { content = '', toolCalls = [], pieceDelayMs } = behaviour;
      const counted =
        behaviour.usage === 'absent'
          ? undefined
          : (behaviour.usage ?? { inputTokens: 100, outputTokens: 20 });
      start(counted ? { ...usage, input_tokens: counted.inputTokens } : {});
      send('ping');
      const blocks = [
        ...(content === ''
          ? []
          : [
              {
                block: { type: 'text', text: '' },
                pieces: split(content, behaviour).map((text) => ({ type: 'text_delta', text })),
              },
            ]),
        ...toolCalls.map((call, number) => ({
          block: { type: 'tool_use', id: call.id ?? `toolu_${index}_${number}`, name: call.name, input: {} },
          pieces: split(
            typeof call.arguments === 'string' ? call.arguments : JSON.stringify(call.arguments),
            behaviour,
          ).map((piece) => ({ type: 'input_json_delta', partial_json: piece })),
        })),
      ];
      for (const [at, { block, pieces }] of blocks.entries()) {
        open(at, block);
        for (const piece of pieces) {
          if (response.destroyed) return;
          delta(at, piece);
          if (pieceDelayMs) await sleep(pieceDelayMs);
        }
        send('content_block_stop', { index: at });
      }
      const finish = behaviour.finish ?? (toolCalls.length > 0 ? 'tool_calls' : 'stop');
      send('message_delta', {
        delta: {
          stop_reason: { stop: 'end_turn', length: 'max_tokens', tool_calls: 'tool_use' }[finish],
          stop_sequence: null,
        },
        ...(counted && { usage: { output_tokens: counted.outputTokens } }),
      });
      send('message_stop');
      response.end();
    }
  }
}

function split(text: string, { pieceCharacters = 7 }: { pieceCharacters?: number }): string[] {
  // By characters, not by UTF-16 units: a server never sends half of one.
  const characters = Array.from(text);
  return Array.from({ length: Math.ceil(characters.length / pieceCharacters) }, (_, piece) =>
    characters.slice(piece * pieceCharacters, (piece + 1) * pieceCharacters).join(''),
  );
}

function typeOf(status: number): string {
  const types: Record<number, string> = {
    400: 'invalid_request_error',
    401: 'authentication_error',
    402: 'billing_error',
    403: 'permission_error',
    404: 'not_found_error',
    413: 'request_too_large',
    429: 'rate_limit_error',
    504: 'timeout_error',
    529: 'overloaded_error',
  };
  return types[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error');
}

function sendError(
  response: ServerResponse,
  status: number,
  type: string,
  message: string,
  headers: Record<string, string> = {},
): void {
  const id = response.getHeader('request-id');
  sendJson(response, status, { type: 'error', error: { type, message }, request_id: id ?? null }, headers);
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
