import { Agent as HttpAgent, request as requestHttp, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import type { Provider } from './provider-failure.ts';
import { proxyInUse } from './proxy.ts';

/** An answer whose body is still to be read. */
export interface HttpAnswer {
  status: number;
  headers: Headers;
  body: AsyncIterable<Uint8Array>;
}

/**
 * One request to Ollama, a connection of its own each. Not by `fetch`: Ollama sends its headers with the first word,
 * and Node's fetch gives up after five minutes without any, however long loading a large model or reading a long
 * prompt may take by the model's `timeoutMs`. Rejects with the system's error where no answer comes.
 */
export function ask(
  { address, key }: Pick<Provider, 'address' | 'key'>,
  path: string,
  signal: AbortSignal,
  body?: object,
): Promise<HttpAnswer> {
  const url = new URL(`${address}${path}`);
  const text = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    'user-agent': 'switchyard',
    ...(text !== undefined && {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
    }),
    ...(key !== undefined && { authorization: `Bearer ${key}` }),
  };
  return new Promise((resolve, reject) => {
    const [send, Agent] = url.protocol === 'https:' ? [requestHttps, HttpsAgent] : [requestHttp, HttpAgent];
    const agent = new Agent({ proxyEnv: proxyInUse() });
    const options = { method: text === undefined ? 'GET' : 'POST', headers, signal, agent };
    const sent = send(url, options, (response) => resolve(answerOf(response)));
    sent.once('error', reject);
    sent.end(text);
  });
}

function answerOf(response: IncomingMessage): HttpAnswer {
  const headers = new Headers();
  for (const [name, value] of Object.entries(response.headers))
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  return { status: response.statusCode ?? 0, headers, body: response };
}

/** The whole body as text. */
export async function textOf(answer: HttpAnswer): Promise<string> {
  let text = '';
  for await (const line of linesOf(answer)) text += `${line}\n`;
  return text.trim();
}

/** The lines of a body, as they come; the last one also where nothing ends it. */
export async function* linesOf({ body }: Pick<HttpAnswer, 'body'>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of body) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  rest += decoder.decode();
  if (rest !== '') yield rest;
}
