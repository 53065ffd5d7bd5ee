import { isLocal, modelBackends } from '../schemas/model-backends.ts';
import type { BackendName } from '../schemas/model-backends.ts';
import type { ModelDefinition } from './backend.ts';

/** The variables that a `--model` flag looks at. Of the two keys only whether they are set counts: they are not read here. */
export interface FlagEnvironment {
  /** Where Ollama listens, in the forms that Ollama itself accepts. */
  OLLAMA_HOST?: string | undefined;
  /** The context that Ollama is asked to give the model. */
  OLLAMA_CONTEXT_LENGTH?: string | undefined;
  OPENAI_BASE_URL?: string | undefined;
  ANTHROPIC_BASE_URL?: string | undefined;
  LITELLM_BASE_URL?: string | undefined;
  LITELLM_API_KEY?: string | undefined;
  /** The key for `http(s)://...` models, where they want one. */
  SWITCHYARD_MODEL_KEY?: string | undefined;
}

export type ModelFlag = { definition: ModelDefinition } | { problem: string };

const forms = [
  ['ollama:NAME', 'such as ollama:qwen3-coder:30b (at OLLAMA_HOST, or 127.0.0.1:11434)'],
  ['openai:NAME', 'such as openai:gpt-5.1 (key in OPENAI_API_KEY)'],
  ['anthropic:NAME', 'such as anthropic:claude-sonnet-5-5 (key in ANTHROPIC_API_KEY)'],
  [
    'bedrock:NAME',
    'a model or inference profile of Amazon Bedrock (AWS_REGION and the usual AWS credentials)',
  ],
  ['litellm:NAME', 'a logical name of a LiteLLM gateway (at LITELLM_BASE_URL, key in LITELLM_API_KEY)'],
  [
    'http(s)://HOST:PORT/v1#NAME',
    'any OpenAI-compatible server (key, if it wants one, in SWITCHYARD_MODEL_KEY)',
  ],
] as const;

/** The forms in one line, for help texts. */
export const modelFlagForms = forms.map(([form]) => form.replace('(s)', '')).join(' | ');

/** Enough for an agent's work, and within what most models were made for and most machines hold. */
const ollamaContextTokens = 32_768;

/** Reads `--model VALUE` into a model's definition, or says what is wrong and which forms there are. */
export function readModelFlag(flag: string, environment: FlagEnvironment): ModelFlag {
  const value = flag.trim();
  if (/^https?:\/\//i.test(value)) return readUrl(value, environment);
  const colon = value.indexOf(':');
  const provider = colon < 0 ? value : value.slice(0, colon);
  const model = colon < 0 ? '' : value.slice(colon + 1).trim();
  const read = Object.hasOwn(providers, provider) ? providers[provider as Provider] : undefined;
  if (!read) return refuse(flag, 'is none of the forms');
  if (model === '') return refuse(flag, `names no model after "${provider}:"`);
  return read(base(provider as Provider, `${provider}:${model}`, model), environment);
}

type Provider = Extract<BackendName, 'ollama' | 'openai' | 'anthropic' | 'bedrock' | 'litellm'>;

const providers: Record<Provider, (base: ModelDefinition, environment: FlagEnvironment) => ModelFlag> = {
  ollama(definition, { OLLAMA_HOST, OLLAMA_CONTEXT_LENGTH }) {
    const url = ollamaUrl(OLLAMA_HOST);
    if (url === undefined) return { problem: `OLLAMA_HOST is no host or URL: ${OLLAMA_HOST}` };
    const stated = OLLAMA_CONTEXT_LENGTH?.trim() ? Number(OLLAMA_CONTEXT_LENGTH) : ollamaContextTokens;
    if (!Number.isInteger(stated) || stated < 512)
      return {
        problem: `OLLAMA_CONTEXT_LENGTH is no number of tokens from 512 on: ${OLLAMA_CONTEXT_LENGTH}`,
      };
    const maxTokens = Math.min(definition.maxTokens, Math.floor(stated / 4));
    return located({ ...definition, url, contextTokens: stated, maxTokens });
  },
  openai: (definition, { OPENAI_BASE_URL }) => ({
    definition: {
      ...definition,
      url: OPENAI_BASE_URL || 'https://api.openai.com/v1',
      apiKeyVariable: 'OPENAI_API_KEY',
      contextTokens: 128_000,
      tags: ['api'],
    },
  }),
  anthropic: (definition, { ANTHROPIC_BASE_URL }) =>
    located({
      ...definition,
      url: ANTHROPIC_BASE_URL || modelBackends.anthropic.url.default,
      apiKeyVariable: modelBackends.anthropic.apiKeyVariable,
      contextTokens: 200_000,
      // What the model thinks counts, too.
      maxTokens: 16_384,
    }),
  bedrock: (definition) => located({ ...definition, contextTokens: 128_000 }),
  litellm: (definition, { LITELLM_BASE_URL, LITELLM_API_KEY }) =>
    located({
      ...definition,
      url: LITELLM_BASE_URL || modelBackends.litellm.url.default,
      ...(LITELLM_API_KEY?.trim() && { apiKeyVariable: modelBackends.litellm.apiKeyVariable }),
      contextTokens: 128_000,
    }),
};

/** The definition with the tag that says where it runs. */
function located(definition: ModelDefinition): ModelFlag {
  return { definition: { ...definition, tags: [isLocal(definition) ? 'local' : 'api'] } };
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
  return located({
    ...base('openai', `${url.host}#${model}`, model),
    pool: 'custom',
    url: `${url.origin}${path === '' ? '/v1' : path}`,
    ...(environment.SWITCHYARD_MODEL_KEY && { apiKeyVariable: 'SWITCHYARD_MODEL_KEY' }),
  });
}

function base(backend: Provider, name: string, model: string): ModelDefinition {
  return {
    name,
    backend,
    pool: backend,
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
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

function decodeFragment(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function refuse(value: string, why: string): ModelFlag {
  const width = Math.max(...forms.map(([form]) => form.length));
  const lines = forms.map(([form, meaning]) => `  ${form.padEnd(width)}  ${meaning}`);
  return { problem: `--model ${value} ${why}; give one of\n${lines.join('\n')}` };
}
