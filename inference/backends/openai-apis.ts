import { APIError } from 'openai';
import type { ModelDefinition } from '../backend.ts';

/** The two ways in which OpenAI serves a model. */
export type OpenAiApi = 'chat' | 'responses';

/**
 * Models of OpenAI that the chat-completions API does not serve. A name stands for its dated versions too. Source: the
 * `supported_endpoints` of LiteLLM's model_prices_and_context_window.json, as shipped with LiteLLM 1.106.2; looked up
 * on 2026-11-20. A model that is missing here is found out by the server's own refusal, at the cost of one request.
 */
const onlyResponses = [
  'computer-use-preview',
  'gpt-5-codex',
  'gpt-5-pro',
  'gpt-5.1-codex',
  'gpt-5.1-codex-max',
  'gpt-5.1-codex-mini',
  'gpt-5.2-codex',
  'gpt-5.2-pro',
  'gpt-5.3-codex',
  'gpt-5.4-pro',
  'gpt-5.5-pro',
  'o1-pro',
  'o3-deep-research',
  'o3-pro',
  'o4-mini-deep-research',
];

/** How a model is asked: as its entry says, else as OpenAI serves it; other servers speak chat completions. */
export function apiOf(definition: Pick<ModelDefinition, 'api' | 'model'>, address: string): OpenAiApi {
  if (definition.api) return definition.api;
  if (!isOpenAi(address)) return 'chat';
  const name = definition.model.replace(/-\d{4}-\d{2}-\d{2}$/, '');
  return onlyResponses.includes(name) ? 'responses' : 'chat';
}

export function isOpenAi(address: string): boolean {
  const { hostname } = new URL(address);
  return hostname === 'api.openai.com' || hostname.endsWith('.api.openai.com');
}

/** The words in which a server says that a model is served by the other API alone. */
export function wantsResponses(error: unknown): boolean {
  return (
    error instanceof APIError &&
    (error.status === 404 || error.status === 400) &&
    /v1\/responses\b/.test(error.message)
  );
}
