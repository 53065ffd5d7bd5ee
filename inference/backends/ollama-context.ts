import { BackendError } from '../backend.ts';
import type { ModelRequest, Usage } from '../backend.ts';
import { argumentsText } from '../estimate.ts';

/**
 * Ollama shortens a prompt that does not fit, answers what is left and says 200. Three things stand against that:
 * - every call asks for `truncate: false`, by which servers since 0.12.6 (October 2025) refuse such a prompt;
 * - before the call, what cannot fit is refused here; with a server that does not know `truncate`, also what may not fit;
 * - after it, `prompt_eval_count` is compared with what was sent.
 *
 * That count is of the whole prompt in most versions, but not in all: the first ones, and 0.30.0 until June 2026, leave
 * out what was in the server's cache, or say nothing where all of it was. So a small count alone proves nothing; a small
 * count of a prompt that was likely too long does.
 */
interface PromptSize {
  /** As few as these characters can be: hardly a text has tokens of more than six on average. */
  fewest: number;
  /** By the rule of thumb. */
  likely: number;
  /** As many as they come to: source, numbers and other scripts have short tokens. */
  most: number;
}

const charactersAToken = 6;
const likelyCharactersAToken = 4;
const bytesAToken = 3;
/** What a chat template puts around each message. */
const tokensAMessage = 8;

/** How many tokens the prompt of `request` may be. */
function promptSize(request: ModelRequest): PromptSize {
  const text = request.messages
    .map((message) =>
      message.role === 'assistant'
        ? message.content + message.toolCalls.map((call) => call.name + argumentsText(call)).join('')
        : message.content,
    )
    .join('');
  const tools = request.tools.length > 0 ? JSON.stringify(request.tools) : '';
  return {
    // Some templates write tools far shorter than JSON does.
    fewest: Math.floor(text.length / charactersAToken),
    likely: Math.ceil((text.length + tools.length) / likelyCharactersAToken),
    most:
      Math.ceil((Buffer.byteLength(text) + Buffer.byteLength(tools)) / bytesAToken) +
      tokensAMessage * request.messages.length,
  };
}

/** Does a server of this version refuse what does not fit, if it is told to? */
function refusesLongPrompts(version: string | undefined): boolean {
  const match = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version ?? '');
  // A build of one's own calls itself 0.0.0.
  if (!match) return false;
  const [major, minor, patch] = match.slice(1).map(Number) as [number, number, number];
  if (major + minor + patch === 0) return true;
  return major > 0 || minor > 12 || (minor === 12 && patch >= 6);
}

/** What is known of the model and its server before a prompt is sent. */
export interface OllamaModel {
  /** The longest context that the model was made for; undefined where the server does not say. */
  longestTokens: number | undefined;
  version: string | undefined;
}

/** Throws a permanent BackendError where the prompt cannot fit, or where nobody would say that it did not. */
export function requireRoom(request: ModelRequest, contextTokens: number, { version }: OllamaModel): void {
  const { fewest, most } = promptSize(request);
  if (fewest > contextTokens)
    throw tooLarge(request.model, `at least ${fewest} tokens, and the context is ${contextTokens}`);
  if (refusesLongPrompts(version) || most + request.maxTokens <= contextTokens) return;
  throw new BackendError(
    'permanent',
    `the request may be larger than the context of ${request.model} (up to ${most} tokens and ${request.maxTokens} of reply, in ${contextTokens}), and Ollama ${version ?? 'of this version'} would cut it silently`,
    {
      mend: 'update Ollama to 0.12.6 or newer, which says so, or give the model a larger contextTokens',
    },
  );
}

/** A request that does not fit, in the words that hold for every backend. */
export function tooLarge(
  model: string,
  detail: string,
  more: { status?: number; cause?: unknown } = {},
): BackendError {
  return new BackendError('permanent', `the request is larger than the context of ${model}: ${detail}`, {
    ...more,
    mend: 'give the model a larger contextTokens, as far as it was made for that and memory allows',
  });
}

/**
 * What the server says it read, against what was sent. Throws a permanent BackendError where part of the prompt was
 * cut; undefined where the count is no count of the whole prompt, and usage has to be estimated.
 */
export function promptTokens(
  counted: number | undefined,
  request: ModelRequest,
  contextTokens: number,
): Usage['inputTokens'] | undefined {
  if (counted === undefined) return undefined;
  const { fewest, likely } = promptSize(request);
  if (counted >= fewest) return counted;
  if (likely <= contextTokens) return undefined;
  throw tooLarge(
    request.model,
    `it is about ${likely} tokens, Ollama read ${counted} of them and cut the rest, because the context is ${contextTokens}`,
  );
}
