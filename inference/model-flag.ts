import type { ModelDefinition } from './backend.ts';

/** The variables that a `--model` flag looks at; only the last one's value is a key, and it is not read here. */
export interface FlagEnvironment {
  /** Where Ollama listens, in the forms that Ollama itself accepts. */
  OLLAMA_HOST?: string | undefined;
  /** The context that the Ollama server was started with. */
  OLLAMA_CONTEXT_LENGTH?: string | undefined;
  OPENAI_BASE_URL?: string | undefined;
  /** The key for `http(s)://...` models, where they want one. */
  SWITCHYARD_MODEL_KEY?: string | undefined;
}

export type ModelFlag = { definition: ModelDefinition; warning?: string } | { problem: string };

const forms = [
  '  ollama:NAME                  such as ollama:qwen3-coder:30b (at OLLAMA_HOST, or 127.0.0.1:11434)',
  '  openai:NAME                  such as openai:gpt-5.1 (key in OPENAI_API_KEY)',
  '  http(s)://HOST:PORT/v1#NAME  any OpenAI-compatible server (key, if it wants one, in SWITCHYARD_MODEL_KEY)',
].join('\n');

/** Ollama cuts longer prompts silently unless it was told otherwise. */
const ollamaDefaultContextTokens = 4096;

/**
 * Reads `--model VALUE` into a model's definition, or says what is wrong and which forms there are. For
 * Ollama the context is what the server is known to give (OLLAMA_CONTEXT_LENGTH, or its default with a warning).
 */
export function readModelFlag(flag: string, environment: FlagEnvironment): ModelFlag {
  const value = flag.trim();
  if (/^https?:\/\//i.test(value)) return readUrl(value, environment);
  const colon = value.indexOf(':');
  const provider = colon < 0 ? value : value.slice(0, colon);
  const model = colon < 0 ? '' : value.slice(colon + 1).trim();
  if (provider !== 'ollama' && provider !== 'openai') return refuse(flag, 'is none of the forms');
  if (model === '') return refuse(flag, `names no model after "${provider}:"`);
  if (provider === 'openai') {
    return {
      definition: {
        ...base(`openai:${model}`, model),
        pool: 'openai',
        url: environment.OPENAI_BASE_URL || 'https://api.openai.com/v1',
        apiKeyVariable: 'OPENAI_API_KEY',
        contextTokens: 128_000,
        tags: ['api'],
      },
    };
  }
  const url = ollamaUrl(environment.OLLAMA_HOST);
  if (url === undefined) return { problem: `OLLAMA_HOST is no host or URL: ${environment.OLLAMA_HOST}` };
  const stated = Number(environment.OLLAMA_CONTEXT_LENGTH);
  const isStated = Number.isInteger(stated) && stated > 0;
  const contextTokens = isStated ? stated : ollamaDefaultContextTokens;
  const definition: ModelDefinition = {
    ...base(`ollama:${model}`, model),
    pool: 'ollama',
    url,
    contextTokens,
    maxTokens: Math.min(4096, Math.floor(contextTokens / 4)),
    tags: isLoopback(url) ? ['local'] : ['api'],
  };
  if (isStated) return { definition };
  return {
    definition,
    warning:
      `Ollama gives a model ${ollamaDefaultContextTokens} tokens of context unless told otherwise, and cuts longer ` +
      'prompts silently; for real work start it with OLLAMA_CONTEXT_LENGTH=32768 and set the same variable here',
  };
}

function readUrl(value: string, environment: FlagEnvironment): ModelFlag {
  if (!URL.canParse(value)) return refuse(value, 'is no valid URL');
  const url = new URL(value);
  // Not shown again: what stands before the @ is a password.
  if (url.username || url.password)
    return refuse('http://...@...', 'holds a password: put a key into SWITCHYARD_MODEL_KEY');
  const model = decodeFragment(url.hash.slice(1)).trim();
  if (model === '') return refuse(value, 'names no model: add #NAME');
  const path = url.pathname.replace(/\/+$/, '');
  const root = `${url.origin}${path === '' ? '/v1' : path}`;
  return {
    definition: {
      ...base(`${url.host}#${model}`, model),
      pool: 'custom',
      url: root,
      ...(environment.SWITCHYARD_MODEL_KEY && { apiKeyVariable: 'SWITCHYARD_MODEL_KEY' }),
      tags: isLoopback(root) ? ['local'] : ['api'],
    },
  };
}

function base(name: string, model: string): ModelDefinition {
  return {
    name,
    backend: 'openai',
    pool: 'custom',
    model,
    contextTokens: 32_768,
    maxTokens: 4096,
    tags: [],
    timeoutMs: 300_000,
  };
}

/** `host`, `host:port`, `:port` or a URL; 0.0.0.0 is where a server listens, not where one asks. */
function ollamaUrl(host: string | undefined): string | undefined {
  const given = host?.trim() || '127.0.0.1:11434';
  const hasScheme = /^https?:\/\//i.test(given);
  const text = hasScheme ? given : `http://${given.startsWith(':') ? `127.0.0.1${given}` : given}`;
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (!hasScheme && url.port === '' && !/:80\b/.test(given)) url.port = '11434';
  if (url.hostname === '0.0.0.0' || url.hostname === '[::]') url.hostname = '127.0.0.1';
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}/v1`;
}

function isLoopback(url: string): boolean {
  return ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(url).hostname);
}

function decodeFragment(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function refuse(value: string, why: string): ModelFlag {
  return { problem: `--model ${value} ${why}; give one of\n${forms}` };
}
