import type { Backend, ModelDefinition } from '../backend.ts';
import { openAiCompatible } from './openai-compatible.ts';
import { connectionOf } from './openai-connection.ts';

/**
 * Any server that speaks the OpenAI API: OpenAI, vLLM, llama-server, Ollama's /v1. `definition.url` is the API's root
 * (`http://127.0.0.1:11434/v1`). Throws a permanent BackendError where the URL or the key's variable is missing.
 */
export function openai(
  definition: ModelDefinition,
  environment: Record<string, string | undefined>,
  options: { idleTimeoutMs?: number | undefined } = {},
): Backend {
  return openAiCompatible(definition, connectionOf(definition, environment), options);
}
