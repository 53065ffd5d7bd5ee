import { isLoopback, modelBackend, type ModelBackend } from '../schemas/model-backends.ts';
import { ConfigurationError } from './configuration-error.ts';
import type { ModelDefinition, ModelOptions } from './model-options.ts';
import type { Environment } from './state.ts';

/**
 * One entry with what its backend gives where the entry says nothing: the address, out of a variable or by default,
 * and the variable of the key. The only place where those are filled in. Throws ConfigurationError where a variable
 * holds no address.
 */
export function completeModel(
  name: string,
  options: ModelOptions,
  environment: Environment,
): ModelDefinition {
  const url = options.url ?? addressOf(modelBackend(options.backend)?.url, environment);
  const definition: ModelDefinition = {
    ...options,
    name,
    model: options.model ?? name,
    ...(url !== undefined && { url }),
  };
  const key = keyVariableOf(definition, environment);
  return key === undefined ? definition : { ...definition, apiKeyVariable: key };
}

/** Where the models of a backend are asked, by its row, if their entries do not say; undefined where there is no such place. */
export function addressOf(url: { variable?: string; default: string }, environment: Environment): string;
export function addressOf(url: ModelBackend['url'] | undefined, environment: Environment): string | undefined;
export function addressOf(
  url: ModelBackend['url'] | undefined,
  environment: Environment,
): string | undefined {
  if (typeof url !== 'object') return undefined;
  const given = url.variable === undefined ? undefined : environment[url.variable]?.trim();
  return given ? addressFrom(url.variable!, given, url.default) : url.default;
}

/** What the backends add to an address by themselves. */
const added = /\/(chat\/completions|completions|responses|embeddings|messages|api\/(chat|generate|tags))\/*$/;

/** What is wrong with an address by which a server is asked; undefined: nothing. The value is not in it. */
export function addressProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return 'this value (not shown) is no address: its host or its port cannot be one';
  const { username, password, search, hash, pathname } = new URL(text);
  if (username || password) return 'this value (not shown) holds a password';
  if (search || hash)
    return 'this value (not shown) goes on with ? or #, which every process would read; leave that off, and name the variable of a key as `apiKeyVariable`';
  const path = added.exec(pathname)?.[0];
  return path === undefined ? undefined : `it ends with ${path}, which is added by itself; leave that off`;
}

/** A server on this machine may want no key: its variable counts only where it is set. */
function keyVariableOf(definition: ModelDefinition, environment: Environment): string | undefined {
  if (definition.apiKeyVariable !== undefined) return definition.apiKeyVariable;
  const standard = modelBackend(definition.backend)?.apiKeyVariable;
  const isHere = definition.url !== undefined && isLoopback(definition.url);
  if (standard === undefined || (isHere && !environment[standard]?.trim())) return undefined;
  return standard;
}

/**
 * `HOST`, `HOST:PORT`, `:PORT` or a URL, as people write it into such variables; what is missing comes from `standard`.
 * The value is never shown: it may hold a password.
 */
function addressFrom(variable: string, given: string, standard: string): string {
  const refuse = (what: string) => {
    throw new ConfigurationError([
      `${variable}: ${what}; accepted: an http:// or https:// address without a password in it, such as ${standard}`,
    ]);
  };
  const hasScheme = /^https?:\/\//i.test(given);
  const text = hasScheme ? given : `http://${given.startsWith(':') ? `127.0.0.1${given}` : given}`;
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(given) && !hasScheme) return refuse('this value is no such address');
  // A key would go there as plain text.
  if (!hasScheme && standard.startsWith('https:'))
    return refuse('this value does not begin with http:// or https://');
  const problem = addressProblem(text);
  if (problem !== undefined) return refuse(problem);
  const url = new URL(text);
  if (!hasScheme && url.port === '' && !/:80(\/|$)/.test(given)) url.port = new URL(standard).port;
  // Where a server listens on all addresses is no place to ask.
  if (url.hostname === '0.0.0.0' || url.hostname === '[::]') url.hostname = '127.0.0.1';
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}
