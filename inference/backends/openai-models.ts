import type OpenAI from 'openai';
import { APIError } from 'openai';
import { BackendError } from '../backend.ts';
import { unknownModel as notAmong } from './provider-failure.ts';

/** What `/models` lists, or undefined where the server has no such list. */
export async function listModels(client: OpenAI, signal: AbortSignal): Promise<string[] | undefined> {
  try {
    const ids: string[] = [];
    for await (const model of client.models.list({ signal })) {
      if (typeof model?.id === 'string') ids.push(model.id);
    }
    return ids;
  } catch (error) {
    if (error instanceof APIError && [404, 405, 501].includes(error.status ?? 0)) return undefined;
    throw error;
  }
}

/** Is it in the list? Ollama's `:latest` may be left out; a gateway's `provider/*` stands for all of them. */
export function isListed(model: string, listed: readonly string[]): boolean {
  return listed.some(
    (id) =>
      id === model || id === `${model}:latest` || (id.endsWith('*') && model.startsWith(id.slice(0, -1))),
  );
}

/** A permanent error that says which models there are and which is nearest to the one asked for. */
export function unknownModel(
  address: string,
  model: string,
  listed: readonly string[] | undefined,
): BackendError {
  if (listed === undefined) {
    return new BackendError(
      'permanent',
      `${address} knows neither the model ${model} nor a list of its models (404)`,
      {
        status: 404,
        mend: "check that the model's url is the API's root, mostly one that ends in /v1",
      },
    );
  }
  // Where Ollama listens; another server has no such command.
  const pull = new URL(address).port === '11434' ? `ollama pull ${model}` : '';
  return notAmong({ address }, model, listed, pull);
}
