import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { homedir, totalmem } from 'node:os';
import { basename, join } from 'node:path';
import {
  entryNameOf,
  ggufEntry,
  ollamaEntry,
  type OllamaShow,
  type OllamaTag,
} from '../config/found-entries.ts';
import type { FoundModel } from '../config/init-file.ts';
import { knownModel, knownModels, type KnownModel } from '../config/known-models.ts';
import { addressOf, completeModel } from '../config/model-defaults.ts';
import type { ModelOptions } from '../config/model-options.ts';
import { describeGguf, namesAt } from '../inference/check.ts';
import { modelBackends } from '../schemas/model-backends.ts';
import { findGguf, type Place } from './gguf-files.ts';

/** Where to look for models. */
export interface Surroundings {
  environment: Record<string, string | undefined>;
  places: Place[];
  /** How long a server may take to say what it has. */
  patienceMs?: number;
  /** Memory of this machine; for tests. */
  memoryBytes?: number;
}

/** A server, a key or a folder, and the models that it brings; none where there is nothing to ask for by name. */
export interface FoundSource {
  /** Such as `Ollama at http://127.0.0.1:11434`. */
  what: string;
  models: FoundModel[];
  /** What else is to be said of it. */
  note?: string;
}

/** Everything around that models could come from. Asks servers for lists only: it costs nothing. Never throws. */
export async function lookAround(surroundings: Surroundings): Promise<FoundSource[]> {
  const { environment } = surroundings;
  const found = await Promise.all([
    ollama(surroundings),
    gguf(surroundings),
    litellm(surroundings),
    provider('openai', 'OPENAI_API_KEY', environment),
    provider('anthropic', 'ANTHROPIC_API_KEY', environment),
    bedrock(environment),
    graphicsCard(environment),
  ]);
  return found.filter((one) => one !== undefined);
}

async function ollama({ environment, patienceMs }: Surroundings): Promise<FoundSource | undefined> {
  const url = addressOf(modelBackends.ollama.url, environment)!.replace(/\/v1$/, '');
  try {
    const response = await fetch(`${url}/api/tags`, { signal: AbortSignal.timeout(patienceMs ?? 2000) });
    if (!response.ok) return undefined;
    const { models = [] } = (await response.json()) as { models?: OllamaTag[] };
    const from = `Ollama at ${url}`;
    return {
      what: from,
      models: await Promise.all(
        models.slice(0, mostNames).map(async (one) => ollamaEntry(one, await show(url, one.name), from)),
      ),
      ...(models.length === 0 && { note: 'Ollama has no model yet: ollama pull qwen3-coder:30b' }),
    };
  } catch {
    return undefined;
  }
}

async function show(url: string, model: string): Promise<OllamaShow> {
  try {
    const response = await fetch(`${url}/api/show`, {
      method: 'POST',
      body: JSON.stringify({ model }),
      signal: AbortSignal.timeout(3000),
    });
    return response.ok ? ((await response.json()) as OllamaShow) : {};
  } catch {
    return {};
  }
}

async function litellm({ environment, patienceMs }: Surroundings): Promise<FoundSource | undefined> {
  if (!environment['LITELLM_BASE_URL']) return undefined;
  const what = `LiteLLM at ${addressOf(modelBackends.litellm.url, environment)}`;
  const definition = completeModel('litellm', { ...asked, backend: 'litellm' }, environment);
  try {
    const names = await namesAt(definition, environment, AbortSignal.timeout(patienceMs ?? 5000));
    const models = names.slice(0, mostNames).map((model) => {
      const about = knownModel(model);
      return {
        name: entryNameOf(model),
        from: `${what}${about ? '; prices as the provider itself has them' : ''}`,
        options: { backend: 'litellm' as const, model, pool: 'litellm', ...aboutOf(about) },
      };
    });
    const rest = names.slice(mostNames);
    return { what, models, ...(rest.length > 0 && { note: `${what} also has ${rest.join(', ')}` }) };
  } catch (error) {
    return { what, models: [], note: `${what}: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** A gateway may have hundreds. */
const mostNames = 20;
/** What a definition has at least. */
const asked = { pool: 'default', contextTokens: 8192, maxTokens: 1024, timeoutMs: 10_000, tags: [] };

/** Of a provider whose key is there, the models to begin with. Whether the key is good, `models check` says. */
async function provider(
  name: KnownModel['provider'],
  variable: string,
  environment: Record<string, string | undefined>,
): Promise<FoundSource | undefined> {
  if (!environment[variable]) return undefined;
  const what = `the key in ${variable}`;
  const first = knownModels.filter((one) => one.provider === name).slice(0, 3);
  return {
    what,
    models: first.map((one) => ({
      name: entryNameOf(one.model),
      from: what,
      options: {
        backend: name,
        model: one.model,
        ...(modelBackends[name].url === 'required' && { url: 'https://api.openai.com/v1' }),
        apiKeyVariable: variable,
        pool: name,
        ...aboutOf(one),
        tags: ['api'],
      },
    })),
  };
}

function aboutOf(known: KnownModel | undefined): Partial<ModelOptions> {
  if (!known) return {};
  const { tier, contextTokens, maxTokens, prices } = known;
  return { tier, contextTokens, maxTokens, prices };
}

/** Which of the AWS credentials are there; a model of Bedrock is named by the person, for accounts differ. */
async function bedrock(environment: Record<string, string | undefined>): Promise<FoundSource | undefined> {
  const variables = modelBackends.bedrock.variables.filter(
    (name) => !/REGION|_FILE$|_NAME$/.test(name) && environment[name],
  );
  const file = join(environment['HOME'] || homedir(), '.aws', 'credentials');
  const where = variables[0] ?? (existsSync(file) ? '~/.aws/credentials' : undefined);
  if (where === undefined) return undefined;
  const what = `AWS credentials (${where})`;
  return {
    what,
    models: [],
    note: `${what}: a model of Bedrock takes \`backend: bedrock\` and its id as \`model\``,
  };
}

async function gguf({ places, memoryBytes = totalmem() }: Surroundings): Promise<FoundSource | undefined> {
  const files = findGguf(places);
  if (files.length === 0) return undefined;
  const damaged: string[] = [];
  const whole = files
    .flatMap((path) => {
      try {
        const header = describeGguf(path);
        // No role asks for vectors.
        const isEmbedder = /bert|embed/i.test(`${header.architecture} ${basename(path)}`);
        return [{ path, header, isEmbedder }];
      } catch {
        damaged.push(path);
        return [];
      }
    })
    .toSorted((one, other) => other.header.fileBytes - one.header.fileBytes);
  // One is loaded, the largest that leaves room to work; a worker each would fill the memory.
  const loaded = whole.find((one) => !one.isEmbedder && one.header.fileBytes < memoryBytes * 0.6)?.path;
  const models = whole.map(({ path, header, isEmbedder }): FoundModel => {
    const { name, options } = ggufEntry(path, header);
    const use = isEmbedder
      ? 'it writes vectors, which no role asks for'
      : path === loaded
        ? 'a gpu-worker loads it'
        : '`workers: 1` has one load it';
    return {
      name,
      from: `${header.quantisation}, ${(header.fileBytes / 1e9).toFixed(1)} GB; ${use}`,
      options: {
        ...options,
        ...(path !== loaded && { workers: 0 }),
        ...(isEmbedder && { capabilities: ['embeddings' as const] }),
      },
    };
  });
  const note = damaged.length > 0 ? `no whole GGUF file: ${damaged.join(', ')}` : undefined;
  return { what: 'GGUF files', models, ...(note && { note }) };
}

/** What would make a gpu-worker quick; the same models run without. */
async function graphicsCard(
  environment: Record<string, string | undefined>,
): Promise<FoundSource | undefined> {
  const card = await nvidia(environment);
  if (card !== undefined)
    return {
      what: 'a graphics card',
      models: [],
      note: `graphics card: ${card}; docs/models/README.md says how gpu-workers use it`,
    };
  const nodes = existsSync('/dev/dri') ? readdirSync('/dev/dri') : [];
  if (!nodes.some((name) => name.startsWith('renderD'))) return undefined;
  return {
    what: 'a graphics card',
    models: [],
    note: 'there is a graphics card (/dev/dri); docs/models/README.md says how gpu-workers use it',
  };
}

function nvidia(environment: Record<string, string | undefined>): Promise<string | undefined> {
  const words = ['--query-gpu=name,memory.total', '--format=csv,noheader'];
  const options = { timeout: 5000, env: { PATH: environment['PATH'] ?? '' } };
  return new Promise((resolve) => {
    execFile('nvidia-smi', words, options, (error, out) =>
      resolve(error ? undefined : out.trim().split('\n').join('; ') || undefined),
    );
  });
}
