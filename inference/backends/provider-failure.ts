import { closest } from 'fastest-levenshtein';
import { isLoopback } from '../../schemas/model-backends.ts';
import { censorText } from '../../schemas/secrets.ts';
import { BackendError } from '../backend.ts';
import { proxyInUse } from './proxy.ts';
import type { TimeLimit } from './time-limit.ts';

/** Where a model is asked. The key is here only to be sent, and to be kept out of every message. */
export interface Provider {
  address: string;
  model: string;
  apiKeyVariable: string | undefined;
  key: string | undefined;
}

type More = {
  status?: number | undefined;
  requestId?: string | undefined;
  retryAfterMs?: number | undefined;
};

/** Why our own clock or the caller ended the call, as an error; undefined where neither did. */
export function endedBy(
  limit: TimeLimit,
  limits: { totalMs: number; idleMs: number },
  address: string,
): BackendError | undefined {
  switch (limit.ended()) {
    case undefined:
      return undefined;
    case 'cancelled':
      return new BackendError('permanent', 'the call was cancelled');
    case 'timeout':
      return new BackendError('retryable', `${address} did not finish within ${limits.totalMs} ms`, {
        mend: 'a slow model, or one that is loaded first, may need a larger timeoutMs',
      });
    case 'silence':
      return new BackendError(
        'retryable',
        `${address} fell silent for ${limits.idleMs} ms in the middle of its reply`,
      );
  }
}

/** A server's own words on one line, without the key, openly cut. */
export function excerpt(words: string, { key }: Pick<Provider, 'key'>): string {
  const text = (key ? words.replaceAll(key, '[key]') : words).replace(/\s+/g, ' ').trim();
  return text.length > 300 ? `${text.slice(0, 300)}... [cut]` : text;
}

/** A 401 or 403, with the server's words: they tell a wrong key from an account that is closed. */
export function refusedKey(status: number, words: string, provider: Provider, more: More = {}): BackendError {
  const { address, apiKeyVariable, model } = provider;
  // Some servers repeat the key, whole or in part.
  const said = censorText(excerpt(words, provider)).replace(/\bsk-[\w*.-]+/g, '[key]');
  if (apiKeyVariable === undefined)
    return new BackendError('permanent', `${address} wants a key (${status}): ${said}`, {
      ...more,
      status,
      mend: 'put it into an environment variable and name that variable as apiKeyVariable of the model',
    });
  return new BackendError(
    'permanent',
    `${address} refused the key in ${apiKeyVariable} (${status}): ${said}`,
    {
      ...more,
      status,
      mend: `check that ${apiKeyVariable} holds a valid key that may use ${model}`,
    },
  );
}

/** Followed, it would take prompt and key to an address that nobody allowed; so it is not. */
export function redirected(
  status: number,
  location: string | null | undefined,
  address: string,
  more: More = {},
): BackendError {
  const url = location && URL.canParse(location, address) ? new URL(location, address) : undefined;
  const where = url ? ` to ${url.origin}${url.pathname}` : '';
  return new BackendError('permanent', `${address} redirects${where} (${status}), which is not followed`, {
    ...more,
    status,
    mend: "if you trust that address, give it as the model's url",
  });
}

export const isRedirect = (status: number | undefined): status is number =>
  status !== undefined && status >= 300 && status < 400;

/** No connection, or one that is not trusted. `start` says how to start that server. */
export function nothingAnswers(error: unknown, address: string, start: string): BackendError {
  const reason = rootReason(error);
  if (/CERT|SSL|TLS|SELF_SIGNED/.test(reason))
    return new BackendError('permanent', `the certificate of ${address} is not trusted (${reason})`, {
      mend: 'name its authority in NODE_EXTRA_CA_CERTS',
    });
  // Node's fetch waits five minutes for the first byte, whatever the model's timeoutMs allows.
  if (reason.startsWith('UND_ERR_HEADERS_TIMEOUT'))
    return new BackendError('retryable', `${address} sent nothing for five minutes`);
  return nothingAnswersBy(address, reason, start);
}

/** The way there may be what is wrong. */
export function nothingAnswersBy(address: string, reason: string, start: string): BackendError {
  const isByProxy = proxyInUse() !== undefined && !isLoopback(address);
  const mend = isByProxy ? `${start}, or the proxy that HTTPS_PROXY or HTTP_PROXY names` : start;
  return new BackendError('retryable', `nothing answers at ${address} (${reason})`, { mend });
}

/** A reply that began and cannot be read to its end. */
export function brokeOff(error: unknown, provider: Provider, more: More = {}): BackendError {
  const words = error instanceof Error ? error.message : String(error);
  const reason = error instanceof Error ? rootReason(error) : words;
  const why = reason === words ? words : `${words}: ${reason}`;
  return new BackendError(
    'retryable',
    `the reply of ${provider.address} broke off: ${excerpt(why, provider)}`,
    more,
  );
}

/** A model that the server does not have: those it has, and the nearest. `fetch` says how to get it. */
export function unknownModel(
  provider: Pick<Provider, 'address'>,
  model: string,
  listed: readonly string[],
  fetch = '',
): BackendError {
  const { address } = provider;
  const orFetch = fetch === '' ? '' : `, or fetch it: ${fetch}`;
  if (listed.length === 0)
    return new BackendError('permanent', `${address} has no models at all, so not ${model}`, {
      status: 404,
      mend: fetch === '' ? 'see which models your key may use' : `fetch it: ${fetch}`,
    });
  const shown =
    listed.slice(0, 20).join(', ') + (listed.length > 20 ? ` and ${listed.length - 20} more` : '');
  return new BackendError('permanent', `${address} has no model ${model}; it has: ${shown}`, {
    status: 404,
    mend: `did you mean ${closest(model, [...listed])}?${orFetch}`,
  });
}

/** The innermost reason of an error: a code such as ECONNREFUSED where there is one. */
function rootReason(error: unknown): string {
  let reason = error instanceof Error ? error.message : String(error);
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
    reason = 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message || reason;
  return reason;
}

/**
 * Where `definition` is asked, `standardUrl` where it does not say. Throws a permanent BackendError where the URL is
 * none, or where the key's variable is named but not set.
 */
export function providerOf(
  definition: { name: string; model: string; url?: string; apiKeyVariable?: string },
  environment: Record<string, string | undefined>,
  standardUrl: string,
): Provider {
  const { name, model, url = standardUrl, apiKeyVariable } = definition;
  if (!URL.canParse(url))
    throw new BackendError('permanent', `model ${name} has no valid url: ${url}`, {
      mend: `give the root of the server, such as ${standardUrl}`,
    });
  const key = apiKeyVariable === undefined ? undefined : environment[apiKeyVariable]?.trim();
  if (apiKeyVariable !== undefined && !key)
    throw new BackendError(
      'permanent',
      `model ${name} needs a key, but the variable ${apiKeyVariable} is not set`,
      {
        mend: `put the key into the environment variable ${apiKeyVariable} where the mesh is started, and start it again`,
      },
    );
  // Both servers are known by their root; the /v1 below it is what other clients ask for.
  return { address: url.replace(/\/+$/, '').replace(/\/v1$/, ''), model, apiKeyVariable, key };
}
