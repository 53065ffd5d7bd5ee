import OpenAI from 'openai';
import { BackendError } from '../backend.ts';
import type { ModelDefinition } from '../backend.ts';
import type { FailureContext } from './openai-failure.ts';

/**
 * Where a model is asked and with which key. Throws a permanent BackendError where the URL is none, or where the
 * key's variable is named but not set.
 */
export function connectionOf(
  definition: Pick<ModelDefinition, 'name' | 'model' | 'url' | 'apiKeyVariable'>,
  environment: Record<string, string | undefined>,
): FailureContext {
  const { name, model, url, apiKeyVariable } = definition;
  if (url === undefined || !URL.canParse(url)) {
    throw new BackendError('permanent', `model ${name} has ${url ? `no valid url: ${url}` : 'no url'}`, {
      mend: "give the root of the server's API, such as http://127.0.0.1:11434/v1",
    });
  }
  const key = apiKeyVariable === undefined ? undefined : environment[apiKeyVariable]?.trim();
  if (apiKeyVariable !== undefined && !key) {
    throw new BackendError(
      'permanent',
      `model ${name} needs a key, but the variable ${apiKeyVariable} is not set`,
      {
        mend: `put the key into the environment variable ${apiKeyVariable} where the mesh is started, and start it again`,
      },
    );
  }
  return { address: url.replace(/\/+$/, ''), model, apiKeyVariable, key };
}

/** The official client, without retries, clock or environment of its own. */
export function clientOf(context: FailureContext): OpenAI {
  return new OpenAI({
    baseURL: context.address,
    // The client insists on a key, and would take one out of the environment; see plainHeaders for the real one.
    apiKey: 'none',
    maxRetries: 0,
    // The time limit of each call is the only clock, so that a timeout is told as one.
    timeout: 2 ** 31 - 1,
    logLevel: 'off',
    fetch: (input, init) =>
      fetch(input, { ...init, redirect: 'manual', headers: plainHeaders(init?.headers, context.key) }),
  });
}

/** Only what the call needs leaves the process: no headers out of OPENAI_CUSTOM_HEADERS, no facts of the machine. */
function plainHeaders(given: ConstructorParameters<typeof Headers>[0], key: string | undefined): Headers {
  const all = new Headers(given);
  const headers = new Headers({ 'user-agent': 'switchyard' });
  for (const name of ['accept', 'content-type']) {
    const value = all.get(name);
    if (value !== null) headers.set(name, value);
  }
  if (key !== undefined) headers.set('authorization', `Bearer ${key}`);
  return headers;
}

/** Throws where the answer is a web page, or whole where it should come piece by piece. */
export function refuseOtherThanStream(response: Response, context: FailureContext): void {
  const type = response.headers.get('content-type') ?? '';
  if (type.includes('text/html')) {
    throw new BackendError('permanent', `${context.address} answered with a web page`, {
      mend: "check that the model's url is the API's root, mostly one that ends in /v1",
    });
  }
  if (type.includes('application/json')) {
    throw new BackendError(
      'retryable',
      `${context.address} answered in one piece, not with the stream it was asked for`,
    );
  }
}
