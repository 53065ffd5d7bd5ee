import { APIConnectionError } from 'openai';
import type { APIError } from 'openai';
import { BackendError } from '../backend.ts';
import type { Backend, ModelDefinition } from '../backend.ts';
import { openAiCompatible } from './openai-compatible.ts';
import { connectionOf } from './openai-connection.ts';
import { excerptOf } from './openai-failure.ts';
import type { FailureContext } from './openai-failure.ts';
import { isRedirect, redirected } from './provider-failure.ts';

const standardKey = 'LITELLM_API_KEY';

/**
 * A LiteLLM gateway. `definition.url` is its address, with or without `/v1`; `definition.model` is a logical name of the
 * gateway's own and is passed on untouched. Nothing is tried again here: the gateway has retries of its own, and the
 * mesh has those of the task. Throws a permanent BackendError where the URL is none, or where the entry names a variable
 * of its own for the key and that is not set; LITELLM_API_KEY may be missing, for a gateway that wants no key.
 */
export function litellm(
  definition: ModelDefinition,
  environment: Record<string, string | undefined>,
  options: { idleTimeoutMs?: number | undefined } = {},
): Backend {
  const hasNoKey = definition.apiKeyVariable === standardKey && !environment['LITELLM_API_KEY']?.trim();
  const { apiKeyVariable: _, ...keyless } = definition;
  const given = connectionOf(hasNoKey ? keyless : definition, environment);
  const root = given.address.replace(/\/v1$/, '');
  const context: FailureContext = { ...given, address: `${root}/v1` };
  const dialect = { isUnknownModel, explain, probe: (signal: AbortSignal) => probe(root, signal) };
  return openAiCompatible(definition, context, { ...options, dialect });
}

/**
 * Is the gateway there? `/health` would ask every model behind it, at the price of tokens; this costs nothing and wants
 * no key.
 */
async function probe(root: string, signal: AbortSignal): Promise<void> {
  let response: Response;
  try {
    response = await fetch(`${root}/health/liveliness`, {
      headers: { 'user-agent': 'switchyard' },
      redirect: 'manual',
      signal,
    });
  } catch (cause) {
    throw new APIConnectionError({ cause: cause instanceof Error ? cause : undefined });
  }
  await response.body?.cancel();
  if (response.ok) return;
  const { status, headers } = response;
  if (isRedirect(status)) throw redirected(status, headers.get('location'), root);
  const problem = `${root}/health/liveliness answered ${status}, as no LiteLLM gateway does that is well`;
  throw status >= 500
    ? new BackendError('retryable', problem, { status, mend: 'see the log of the gateway' })
    : new BackendError('permanent', problem, {
        status,
        mend: "check the model's url; for a server that is not LiteLLM, use the backend openai",
      });
}

/** The gateway has no such name, or none that this key may use: its list shows those that it may. */
function isUnknownModel(error: APIError): boolean {
  return (
    error.status === 404 ||
    (error.status === 400 && /Invalid model name passed in/.test(error.message)) ||
    (error.type ?? '').endsWith('_model_access_denied')
  );
}

/** What came from behind the gateway begins with the name of the gateway's own exception; the client puts the status before it. */
function isOfProvider(error: APIError): boolean {
  return /^(\d+ )?litellm\./.test(error.message);
}

function explain(error: APIError, context: FailureContext): BackendError | undefined {
  const { address, apiKeyVariable, model } = context;
  const { status } = error;
  const words = excerptOf(error, context);
  if (status === 401 && context.key === undefined && !isOfProvider(error))
    return new BackendError('permanent', `${address} wants a key (401): ${words}`, {
      status,
      mend: `put one of the gateway's keys into ${standardKey} where the mesh is started, and start it again`,
    });
  const keyName = apiKeyVariable === undefined ? 'no key' : `the key in ${apiKeyVariable}`;
  // 400, 422 or 429, as the gateway's version and configuration have it.
  if (
    error.type === 'budget_exceeded' ||
    /budget has been exceeded|budget exceeded|ExceededBudget/i.test(error.message)
  )
    return new BackendError('permanent', `${address} has no budget left for ${keyName}: ${words}`, {
      status,
      mend: 'raise the budget in the gateway or wait for its next period, or name another model as a fallback',
    });
  if (error.type === 'no_db_connection')
    return new BackendError('permanent', `${address} refused ${keyName}: ${words}`, {
      status: 401,
      mend: `a gateway without a database knows its master key alone; put that into ${apiKeyVariable ?? standardKey}`,
    });
  if ((status === 401 || status === 403) && isOfProvider(error))
    return new BackendError(
      'permanent',
      `the provider behind ${address} refused the gateway's key: ${words}`,
      {
        status,
        mend: `mend the key of ${model} in the configuration of the gateway; yours is not meant`,
      },
    );
  if (status === 500 && context.key === undefined && !error.error)
    return new BackendError('retryable', `${address} answered 500 to a request without a key: ${words}`, {
      status,
      mend: 'a gateway that wants a key may answer so: put one into LITELLM_API_KEY',
    });
  return undefined;
}
