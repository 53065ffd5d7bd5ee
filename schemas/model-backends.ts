/** What a model can do, as its backend declares it and its entry in `switchyard.yaml` may correct it. */
export const capabilities = ['tools', 'json-schema', 'streaming', 'embeddings', 'vision'] as const;
export type Capability = (typeof capabilities)[number];

/** A way of asking a model: what configuration must know of it before a process of it runs. */
export interface ModelBackend {
  description: string;
  /** The server's address: must be given, has a default, may be given in place of one that follows from other options, or there is none to give. */
  url: 'required' | { variable?: string; default: string } | 'optional' | 'none';
  /** The variable that holds the key, where the entry names no other. */
  apiKeyVariable?: string;
  /** Variables by which it finds its server and credentials where not one key is all; only inference processes are given them. */
  variables?: readonly string[];
  /** Where its models run: here, elsewhere, or as the address says. */
  runs: 'here' | 'elsewhere' | 'by-address';
  capabilities: readonly Capability[];
}

/** Every backend, by the name that a model's `backend` gives. A new one is a row here and a file in `inference/backends/`. */
export const modelBackends = {
  openai: {
    description:
      'any server that speaks the OpenAI API: OpenAI itself, vLLM, llama-server, and gateways that have no entry of their own',
    url: 'required',
    runs: 'by-address',
    capabilities: ['tools', 'json-schema', 'streaming', 'embeddings'],
  },
  anthropic: {
    description: "Anthropic's models by its own API, or a gateway that speaks it",
    url: { variable: 'ANTHROPIC_BASE_URL', default: 'https://api.anthropic.com' },
    apiKeyVariable: 'ANTHROPIC_API_KEY',
    runs: 'by-address',
    capabilities: ['tools', 'json-schema', 'streaming'],
  },
  ollama: {
    description: 'Ollama by its own API, so that the context which the entry gives is the one the model gets',
    url: { variable: 'OLLAMA_HOST', default: 'http://127.0.0.1:11434' },
    variables: ['OLLAMA_KEEP_ALIVE'],
    runs: 'by-address',
    capabilities: ['tools', 'json-schema', 'streaming', 'embeddings'],
  },
  litellm: {
    description: 'a LiteLLM gateway, asked by the logical names that it lists',
    url: { variable: 'LITELLM_BASE_URL', default: 'http://127.0.0.1:4000' },
    apiKeyVariable: 'LITELLM_API_KEY',
    runs: 'elsewhere',
    capabilities: ['tools', 'json-schema', 'streaming', 'embeddings'],
  },
  llama: {
    description:
      'a GGUF file that a gpu-worker of this mesh loads with llama.cpp, on the processor or a card',
    url: 'none',
    runs: 'here',
    capabilities: ['tools', 'json-schema', 'streaming', 'embeddings'],
  },
  bedrock: {
    description:
      'models of Amazon Bedrock, asked with the usual AWS credentials: keys in the environment, a profile, or the role of the container or instance',
    url: 'optional',
    variables: [
      'AWS_REGION',
      'AWS_DEFAULT_REGION',
      'AWS_PROFILE',
      'AWS_ACCESS_KEY_ID',
      'AWS_SECRET_ACCESS_KEY',
      'AWS_SESSION_TOKEN',
      'AWS_BEARER_TOKEN_BEDROCK',
      'AWS_CONFIG_FILE',
      'AWS_SHARED_CREDENTIALS_FILE',
      'AWS_ROLE_ARN',
      'AWS_ROLE_SESSION_NAME',
      'AWS_WEB_IDENTITY_TOKEN_FILE',
      'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
      'AWS_CONTAINER_CREDENTIALS_FULL_URI',
      'AWS_CONTAINER_AUTHORIZATION_TOKEN',
      'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE',
      'AWS_EC2_METADATA_DISABLED',
    ],
    runs: 'elsewhere',
    capabilities: ['tools', 'json-schema', 'streaming'],
  },
  scripted: {
    description: 'replies that were written beforehand, not by a model; every screen says so',
    url: 'none',
    runs: 'here',
    capabilities: ['tools', 'streaming'],
  },
} as const satisfies Record<string, ModelBackend>;

export type BackendName = keyof typeof modelBackends;
export const backendNames = Object.keys(modelBackends) as BackendName[];

/** The row of a backend; undefined where nobody knows the name. */
export function modelBackend(name: string): ModelBackend | undefined {
  return Object.hasOwn(modelBackends, name) ? modelBackends[name as BackendName] : undefined;
}

/** What a model can do: what its entry says, else what its backend declares. */
export function capabilitiesOf(definition: {
  backend: string;
  capabilities?: readonly Capability[] | undefined;
}): readonly Capability[] {
  return definition.capabilities ?? modelBackend(definition.backend)?.capabilities ?? [];
}

/**
 * True for a model that runs on this machine, so that asking it opens no connection to another. `url` is the one
 * that is asked, defaults and variables filled in; left out: the backend's own default.
 */
export function isLocal(definition: {
  backend: string;
  model?: string | undefined;
  url?: string | undefined;
}): boolean {
  const backend = modelBackend(definition.backend);
  if (backend === undefined || backend.runs === 'elsewhere') return false;
  if (backend.runs === 'here') return true;
  // Ollama hands such a model on to its own service, whatever the address.
  if (/[:-]cloud$/.test(definition.model ?? '')) return false;
  const url = definition.url ?? (typeof backend.url === 'object' ? backend.url.default : undefined);
  return url !== undefined && isLoopback(url);
}

/** True for an address that cannot leave this machine; other names are not looked up. */
export function isLoopback(url: string): boolean {
  if (!URL.canParse(url)) return false;
  // A name may end with the root's dot; URL writes IPv4 addresses of every notation as four decimal numbers.
  const name = new URL(url).hostname.toLowerCase().replace(/\.$/, '');
  if (name === 'localhost' || name.endsWith('.localhost') || name === '[::1]') return true;
  return /^127(\.\d{1,3}){3}$/.test(name) || /^\[::ffff:7f[0-9a-f]{2}:/.test(name);
}
