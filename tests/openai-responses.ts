import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Behaviour, PlayedToolCall } from './model-behaviour.ts';

/** A request to the responses API as it came over the wire, the parts that a test looks at. */
export interface ResponsesRequest {
  model: string;
  input: ResponsesItem[];
  tools?: { type: string; name: string; description?: string; parameters?: unknown; strict?: boolean }[];
  text?: { format?: { type: string; name?: string; schema?: Record<string, unknown>; strict?: boolean } };
  max_output_tokens?: number;
  temperature?: number;
  top_p?: number;
  stream?: boolean;
  store?: boolean;
}

export type ResponsesItem =
  | { role: 'system' | 'developer' | 'user' | 'assistant'; content: string }
  | { type: 'function_call'; call_id: string; name: string; arguments: string }
  | { type: 'function_call_output'; call_id: string; output: string };

type Refusal = Extract<Behaviour, { kind: 'error' }>;
type Reply = Extract<Behaviour, { kind: 'reply' }>;

/** What the API refuses by its documentation, whatever a test has in mind. */
export function responsesRefusal(body: ResponsesRequest, models: string[] | undefined): Refusal | undefined {
  const refuse = (message: string, param: string, code = 'invalid_value'): Refusal => {
    return { kind: 'error', status: 400, message, param, code, type: 'invalid_request_error' };
  };
  // Not 404, as chat completions have it.
  if (models && !models.includes(body.model))
    return refuse(`The requested model '${body.model}' does not exist.`, 'model', 'model_not_found');
  if (body.max_output_tokens !== undefined && body.max_output_tokens < 16)
    return refuse("Invalid 'max_output_tokens': integer below minimum value.", 'max_output_tokens');
  const called = new Set<string>();
  for (const [place, item] of body.input.entries()) {
    if ('role' in item) continue;
    if (item.type === 'function_call') called.add(item.call_id);
    else if (item.type !== 'function_call_output')
      return refuse(`Invalid value: '${(item as { type: string }).type}'`, `input[${place}]`);
    else if (!called.delete(item.call_id))
      return refuse(`No tool call found for function call output with call_id ${item.call_id}.`, 'input');
  }
  const [open] = called;
  return open === undefined ? undefined : refuse(`No tool output found for function call ${open}.`, 'input');
}

/** Plays what streams; an `error` and a `raw` answer are the server's own affair. */
export async function playResponses(
  behaviour: Exclude<Behaviour, { kind: 'error' | 'raw' }>,
  body: ResponsesRequest,
  response: ServerResponse,
  index: number,
): Promise<void> {
  const send = openEvents(response);
  const whole = (more: object) => ({
    response: { id: `resp_${index}`, object: 'response', model: body.model, output: [], ...more },
  });
  const words = (delta: string, place = 0) =>
    send('response.output_text.delta', {
      item_id: `msg_${index}`,
      output_index: place,
      content_index: 0,
      delta,
      logprobs: [],
    });
  send('response.created', whole({ status: 'in_progress' }));
  send('response.in_progress', whole({ status: 'in_progress' }));
  switch (behaviour.kind) {
    case 'hang':
      if (behaviour.after !== undefined) words(behaviour.after);
      return;
    case 'malformed':
      response.end('event: response.output_text.delta\ndata: {"type": "response.output_te\n\n');
      return;
    case 'cut':
      words(behaviour.content);
      // Let the words arrive before the connection goes.
      await sleep(20);
      if (behaviour.how === 'reset') response.destroy();
      else response.end();
      return;
    case 'error-in-stream': {
      const { message, code = 'server_error' } = behaviour;
      send('response.failed', whole({ status: 'failed', error: { code: `${code}`, message } }));
      response.end();
      return;
    }
    case 'reply':
      break;
  }
  // Models of this API think first; that is an item of its own.
  const thought = { id: `rs_${index}`, type: 'reasoning', summary: [] };
  send('response.output_item.added', { output_index: 0, item: thought });
  send('response.output_item.done', { output_index: 0, item: thought });
  let place = 1;
  if (behaviour.content) {
    const item = { id: `msg_${index}`, type: 'message', role: 'assistant', content: [] };
    send('response.output_item.added', { output_index: place, item: { ...item, status: 'in_progress' } });
    for (const delta of split(behaviour.content, behaviour)) {
      if (response.destroyed) return;
      words(delta, place);
      if (behaviour.pieceDelayMs) await sleep(behaviour.pieceDelayMs);
    }
    const content = [{ type: 'output_text', text: behaviour.content, annotations: [] }];
    send('response.output_item.done', {
      output_index: place++,
      item: { ...item, status: 'completed', content },
    });
  }
  const calls = behaviour.toolCalls ?? [];
  for (const [number, call] of calls.entries())
    sendCall(send, call, place++, call.id ?? `call_${index}_${number}`, behaviour);
  const isCut = behaviour.finish === 'length';
  const usage = usageOf(behaviour);
  send(
    isCut ? 'response.incomplete' : 'response.completed',
    isCut
      ? whole({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' }, usage })
      : whole({ status: 'completed', incomplete_details: null, usage }),
  );
  response.end();
}

type Send = (type: string, data: object) => void;

function sendCall(send: Send, call: PlayedToolCall, place: number, id: string, reply: Reply): void {
  const text = typeof call.arguments === 'string' ? call.arguments : JSON.stringify(call.arguments);
  const item = { id: `fc_${id}`, type: 'function_call', call_id: id, name: call.name };
  send('response.output_item.added', {
    output_index: place,
    item: { ...item, arguments: '', status: 'in_progress' },
  });
  for (const delta of split(text, reply))
    send('response.function_call_arguments.delta', { item_id: item.id, output_index: place, delta });
  send('response.function_call_arguments.done', { item_id: item.id, output_index: place, arguments: text });
  send('response.output_item.done', {
    output_index: place,
    item: { ...item, arguments: text, status: 'completed' },
  });
}

function usageOf({ usage = { inputTokens: 100, outputTokens: 20 } }: Reply): object | null {
  if (usage === 'absent') return null;
  const { inputTokens, outputTokens } = usage;
  return {
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
  };
}

/** Each event bears its name twice, and a number; there is no `[DONE]` at the end. */
function openEvents(response: ServerResponse): Send {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  let number = 0;
  return (type, data) =>
    void response.write(
      `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: number++, ...data })}\n\n`,
    );
}

function split(text: string, reply: Reply): string[] {
  const length = reply.pieceCharacters ?? 7;
  return Array.from({ length: Math.ceil(text.length / length) }, (_, piece) => {
    return text.slice(piece * length, (piece + 1) * length);
  });
}
