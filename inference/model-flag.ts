import { isLocal, modelBackends } from '../schemas/model-backends.ts';
import type { BackendName } from '../schemas/model-backends.ts';
import type { ModelDefinition } from './backend.ts';

/** The variables that a `--model` flag looks at. Of the two keys only whether they are set counts: they are not read here. */
export interface FlagEnvironment {
  /** The context that Ollama is asked to give the model. */
  OLLAMA_CONTEXT_LENGTH?: string | undefined;
  LITELLM_API_KEY?: string | undefined;
  /** The key for `http(s)://...` models, where they want one. */
  SWITCHYARD_MODEL_KEY?: string | undefined;
}

/** Where a backend is asked, by its variable or its default. Throws where the variable holds no address. */
export type AddressOf = (row: { variable: string; default: string }) => string;

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
export function readModelFlag(flag: string, environment: FlagEnvironment, addressOf: AddressOf): ModelFlag {
  const value = flag.trim();
  if (/^https?:\/\//i.test(value)) return readUrl(value, environment);
  const colon = value.indexOf(':');
  const provider = colon < 0 ? value : value.slice(0, colon);
  const model = colon < 0 ? '' : value.slice(colon + 1).trim();
  const read = Object.hasOwn(providers, provider) ? providers[provider as Provider] : undefined;
  if (!read) return refuse(flag, 'is none of the forms');
  if (model === '') return refuse(flag, `names no model after "${provider}:"`);
  return read(base(provider as Provider, `${provider}:${model}`, model), environment, addressOf);
}

type Provider = Extract<BackendName, 'ollama' | 'openai' | 'anthropic' | 'bedrock' | 'litellm'>;

/** OpenAI itself has no entry among the backends' addresses: any server may speak its API. */
const openAiAddress = { variable: 'OPENAI_BASE_URL', default: 'https://api.openai.com/v1' };

/** As the configuration allows. */
const mostContextTokens = 10_000_000;

type Read = (base: ModelDefinition, environment: FlagEnvironment, addressOf: AddressOf) => ModelFlag;

const providers: Record<Provider, Read> = {
  ollama(definition, { OLLAMA_CONTEXT_LENGTH }, addressOf) {
    const url = addressOf(modelBackends.ollama.url);
    const stated = OLLAMA_CONTEXT_LENGTH?.trim() ? Number(OLLAMA_CONTEXT_LENGTH) : ollamaContextTokens;
    if (!Number.isInteger(stated) || stated < 512 || stated > mostContextTokens)
      return {
        problem: `OLLAMA_CONTEXT_LENGTH is no number of tokens from 512 to ${mostContextTokens}: ${OLLAMA_CONTEXT_LENGTH}`,
      };
    const maxTokens = Math.min(definition.maxTokens, Math.floor(stated / 4));
    return located({ ...definition, url, contextTokens: stated, maxTokens });
  },
  openai: (definition, _, addressOf) => ({
    definition: {
      ...definition,
      url: addressOf(openAiAddress),
      apiKeyVariable: 'OPENAI_API_KEY',
      contextTokens: 128_000,
      tags: ['api'],
    },
  }),
  anthropic: (definition, _, addressOf) =>
    located({
      ...definition,
      url: addressOf(modelBackends.anthropic.url),
      apiKeyVariable: modelBackends.anthropic.apiKeyVariable,
      contextTokens: 200_000,
      // What the model thinks counts, too.
      maxTokens: 16_384,
    }),
  bedrock: (definition) => located({ ...definition, contextTokens: 128_000 }),
  litellm: (definition, { LITELLM_API_KEY }, addressOf) =>
    located({
      ...definition,
      url: addressOf(modelBackends.litellm.url),
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
  if (url.search)
    return refuse('http://...?...', 'goes on with ?, which every process would read: leave that off');
  const model = decodeFragment(url.hash.slice(1)).trim();
  if (model === '') return refuse(value, 'names no model: add #NAME');
  const path = url.pathname.replace(/\/+$/, '');
  return located({
    ...base('openai', `${url.host}#${model}`, model),
    pool: 'custom',
    url: `${url.origin}${path === '' ? '/v1' : path}`,
    ...(environment.SWITCHYARD_MODEL_KEY?.trim() && { apiKeyVariable: 'SWITCHYARD_MODEL_KEY' }),
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
