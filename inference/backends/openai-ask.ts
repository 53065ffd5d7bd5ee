import type OpenAI from 'openai';
import type { ModelReply, ModelRequest } from '../backend.ts';
import { openStream, schemaWayOf } from './openai-learned.ts';
import type { Learned } from './openai-learned.ts';
import { toParams } from './openai-request.ts';
import { toResponsesParams } from './openai-responses-request.ts';
import { takeEvent } from './openai-responses-stream.ts';
import { bareJson } from './openai-schema.ts';
import { emptyDraft, finishReply, takeChunk } from './openai-stream.ts';
import type { ReplyDraft } from './openai-stream.ts';

/** One call: what is asked, and who is told what comes. */
export interface Conversation {
  client: OpenAI;
  request: ModelRequest;
  signal: AbortSignal;
  learned: Learned;
  /** The server has begun to answer; throws where it is not the answer that was asked for. */
  onResponse(response: Response): void;
  /** Something was heard. */
  alive(): void;
  onText(text: string): void;
}

/** Asks by the chat-completions API. Throws what the client throws, and BackendError. */
export async function askChat(call: Conversation): Promise<ModelReply> {
  const { client, request, learned, signal } = call;
  const { data, response } = await openStream(
    request,
    learned,
    () => toParams(request, learned),
    (params) => client.chat.completions.create(params, { signal }).withResponse(),
  );
  call.onResponse(response);
  return read(call, data, takeChunk);
}

/** Asks by the responses API. Throws what the client throws, and BackendError. */
export async function askResponses(call: Conversation): Promise<ModelReply> {
  const { client, request, learned, signal } = call;
  const { data, response } = await openStream(
    request,
    learned,
    () => toResponsesParams(request, learned),
    (params) => client.responses.create(params, { signal }).withResponse(),
  );
  call.onResponse(response);
  return read(call, data, takeEvent);
}

async function read<Piece>(
  call: Conversation,
  stream: AsyncIterable<Piece>,
  take: (draft: ReplyDraft, piece: Piece) => string,
): Promise<ModelReply> {
  const { request, learned } = call;
  const draft = emptyDraft();
  for await (const piece of stream) {
    call.alive();
    const text = take(draft, piece);
    if (text !== '') call.onText(text);
  }
  // A stream that was aborted ends as if it were whole; it counts as whole only if its finish had come.
  const reply = finishReply(draft, request);
  const isAskedInWords = schemaWayOf(request, learned) === 'in-prompt' && reply.toolCalls.length === 0;
  return isAskedInWords ? { ...reply, content: bareJson(reply.content) } : reply;
}
