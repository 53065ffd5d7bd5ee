import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventFrame, exceptionFrame } from './bedrock-frames.ts';
import { converseProblem } from './bedrock-rules.ts';
import type { ConverseBody } from './bedrock-rules.ts';
import { signatureProblem } from './bedrock-signature.ts';
import type { Account } from './bedrock-signature.ts';
import type { Behaviour } from './model-behaviour.ts';

export interface RecordedConverse {
  model: string;
  body: ConverseBody;
  headers: IncomingMessage['headers'];
  /** The id that the reply bore. */
  requestId: string;
  /** Set when the client hung up before the reply was whole. */
  aborted: boolean;
}

export interface BedrockServer {
  /** The endpoint, `http://127.0.0.1:PORT`. */
  url: string;
  /** What came as far as a model, in order; not what was refused before. */
  requests: RecordedConverse[];
  /** How many requests came at all. */
  seen(): number;
  /** Drops every connection. */
  close(): Promise<void>;
}

/** `raw-frames`: what a stream holds, written here as bytes. */
export type BedrockBehaviour = Behaviour | { kind: 'raw-frames'; frames: Buffer[] };
/** Decides what a model does with a request; `index` counts from 0 over the server's life. */
export type BehaveAsBedrock = (body: ConverseBody, index: number) => BedrockBehaviour;

const typesByStatus: Record<number, string> = {
  400: 'ValidationException',
  403: 'AccessDeniedException',
  404: 'ResourceNotFoundException',
  408: 'ModelTimeoutException',
  424: 'ModelErrorException',
  429: 'ThrottlingException',
  500: 'InternalServerException',
  503: 'ServiceUnavailableException',
};

/**
 * Starts a loopback server that speaks Bedrock's ConverseStream by AWS's documentation: `POST
 * /model/{id}/converse-stream`, errors as REST-JSON, the reply as an event stream. It checks the signature (or the
 * key of `bearer`), then the request against Converse's rules, then whether it has the model.
 */
export async function startBedrockServer(options: {
  behave: BehaveAsBedrock;
  models: string[];
  account: Account;
  bearer?: string;
}): Promise<BedrockServer> {
  const requests: RecordedConverse[] = [];
  let seen = 0;
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    seen += 1;
    const requestId = randomUUID();
    response.setHeader('x-amzn-requestid', requestId);
    const bytes = await buffer(request);
    const authorization = request.headers.authorization ?? '';
    if (options.bearer !== undefined && authorization.startsWith('Bearer ')) {
      if (authorization !== `Bearer ${options.bearer}`)
        return sendError(response, 403, {
          type: 'AccessDeniedException',
          message: `Authentication failed: Please make sure your API Key is valid (${authorization}).`,
        });
    } else {
      const problem = signatureProblem(request, bytes, options.account);
      if (problem) return sendError(response, 403, problem);
    }
    const path = /^\/model\/([^/]+)\/converse-stream$/.exec(request.url ?? '');
    if (request.method !== 'POST' || !path)
      return sendError(response, 404, { type: 'UnknownOperationException', message: '' });
    const body = JSON.parse(bytes.toString()) as ConverseBody;
    const refusal = converseProblem(body);
    if (refusal !== undefined)
      return sendError(response, 400, { type: 'ValidationException', message: refusal });
    const model = decodeURIComponent(path[1]!);
    if (!options.models.includes(model)) {
      const message = 'The provided model identifier is invalid.';
      return sendError(response, 400, { type: 'ValidationException', message });
    }
    const record = { model, body, headers: request.headers, requestId, aborted: false };
    response.on('close', () => (record.aborted = !response.writableFinished));
    const index = requests.push(record) - 1;
    await play(options.behave(body, index), response);
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    seen: () => seen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function play(behaviour: BedrockBehaviour, response: ServerResponse): Promise<void> {
  const stream = () => {
    response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' });
    response.write(event('messageStart', { role: 'assistant' }));
  };
  const say = (text: string, contentBlockIndex = 0) =>
    void response.write(event('contentBlockDelta', { contentBlockIndex, delta: { text } }));
  switch (behaviour.kind) {
    case 'error': {
      const { status, message = 'something went wrong', code, headers = {} } = behaviour;
      const isOverflow = code === 'context_length_exceeded';
      return sendError(
        response,
        status,
        {
          type: behaviour.type ?? typesByStatus[status] ?? 'UnknownException',
          message: isOverflow ? 'Input is too long for requested model.' : message,
        },
        headers,
      );
    }
    case 'raw':
      response.writeHead(behaviour.status, { 'content-type': behaviour.contentType }).end(behaviour.body);
      return;
    case 'raw-frames':
      stream();
      for (const one of behaviour.frames) response.write(one);
      response.end();
      return;
    case 'hang':
      // Nothing more is written; the connection stays until the client or the test closes it.
      if (behaviour.after === undefined) return;
      stream();
      say(behaviour.after);
      return;
    case 'malformed': {
      stream();
      const broken = event('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'word' } });
      broken.writeUInt8(broken.readUInt8(broken.length - 9) ^ 1, broken.length - 9);
      response.end(broken);
      return;
    }
    case 'cut':
      stream();
      say(behaviour.content);
      // Let the words arrive before the connection goes.
      await sleep(20);
      if (behaviour.how === 'reset') response.destroy();
      else response.end();
      return;
    case 'error-in-stream':
      stream();
      response.end(exceptionFrame(String(behaviour.code ?? 'modelStreamErrorException'), behaviour.message));
      return;
    case 'reply':
      stream();
      return playReply(behaviour, response);
  }
}

type Reply = Extract<Behaviour, { kind: 'reply' }>;

async function playReply(reply: Reply, response: ServerResponse): Promise<void> {
  const calls = reply.toolCalls ?? [];
  const texts = split(reply.content ?? '', reply).map((text) =>
    event('contentBlockDelta', { contentBlockIndex: 0, delta: { text } }),
  );
  if (texts.length > 0) texts.push(event('contentBlockStop', { contentBlockIndex: 0 }));
  const ofCalls = calls.flatMap(({ id, name, arguments: given }, position) => {
    const contentBlockIndex = position + 1;
    const toolUse = { toolUseId: id ?? `tooluse_${randomUUID()}`, name };
    const text = typeof given === 'string' ? given : JSON.stringify(given);
    return [
      event('contentBlockStart', { contentBlockIndex, start: { toolUse } }),
      ...split(text, reply).map((input) =>
        event('contentBlockDelta', { contentBlockIndex, delta: { toolUse: { input } } }),
      ),
      event('contentBlockStop', { contentBlockIndex }),
    ];
  });
  for (const piece of [...texts, ...ofCalls]) {
    if (response.destroyed) return;
    response.write(piece);
    if (reply.pieceDelayMs) await sleep(reply.pieceDelayMs);
  }
  const finish = reply.finish ?? (calls.length > 0 ? 'tool_calls' : 'stop');
  const stopReason = { stop: 'end_turn', length: 'max_tokens', tool_calls: 'tool_use' }[finish];
  response.write(event('messageStop', { stopReason }));
  if (reply.usage !== 'absent') {
    const { inputTokens, outputTokens } = reply.usage ?? { inputTokens: 100, outputTokens: 20 };
    const usage = { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens };
    response.write(event('metadata', { usage, metrics: { latencyMs: 1 } }));
  }
  response.end();
}

/** Bedrock pads its events, so that their length says nothing of what is in them. */
function event(type: string, payload: object): Buffer {
  return eventFrame(type, { ...payload, p: 'abcdefghijk' });
}

/** By characters and not code units: the service sends whole characters only. */
function split(text: string, reply: Reply): string[] {
  const characters = Array.from(text);
  const length = reply.pieceCharacters ?? 7;
  return Array.from({ length: Math.ceil(characters.length / length) }, (_, piece) =>
    characters.slice(piece * length, (piece + 1) * length).join(''),
  );
}

function sendError(
  response: ServerResponse,
  status: number,
  { type, message }: { type: string; message: string },
  headers: Record<string, string> = {},
): void {
  const known = {
    'content-type': 'application/json',
    'x-amzn-errortype': `${type}:http://internal.amazon.com/coral/`,
  };
  response.writeHead(status, { ...known, ...headers }).end(JSON.stringify({ message }));
}
