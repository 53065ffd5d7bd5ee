import { basename } from 'node:path';
import type { Capability } from '../schemas/model-backends.ts';
import type { FoundModel } from './init-file.ts';
import { standardMaxTokens, type ModelOptions } from './model-options.ts';

/** A model as Ollama lists it (`GET /api/tags`). */
export interface OllamaTag {
  name: string;
  /** Bytes on the disk. */
  size?: number;
  details?: { parameter_size?: string; family?: string };
  /** Set where Ollama hands the model on to a service. */
  remote_host?: string;
}

/** What Ollama tells of one model (`POST /api/show`). */
export interface OllamaShow {
  /** Such as `qwen3.context_length`. */
  model_info?: Record<string, unknown>;
  /** Such as `completion`, `tools`, `embedding`, `vision`. */
  capabilities?: string[];
}

/** The entry of a model that Ollama has. */
export function ollamaEntry(tag: OllamaTag, show: OllamaShow, from: string): FoundModel {
  const isRemote = tag.remote_host !== undefined || /[:-]cloud$/.test(tag.name);
  const size = tag.details?.parameter_size;
  const made = Object.entries(show.model_info ?? {}).find(([key]) => key.endsWith('.context_length'))?.[1];
  const contextTokens = Math.min(typeof made === 'number' && made >= 512 ? made : 32_768, 32_768);
  const can = capabilitiesOf(tag, show);
  return {
    name: entryNameOf(tag.name),
    from: [from, ...(size ? [size] : []), ...(isRemote ? ['runs at a service, not here'] : [])].join('; '),
    options: {
      backend: 'ollama',
      model: tag.name,
      pool: 'ollama',
      contextTokens,
      maxTokens: standardMaxTokens(contextTokens),
      tier: isRemote ? 'large' : tierOfBytes(tag.size ?? 0),
      ...(can && { capabilities: can }),
      tags: [isRemote ? 'api' : 'local'],
    },
  };
}

/** Where they are not what the backend declares of all its models. */
function capabilitiesOf(tag: OllamaTag, { capabilities: told }: OllamaShow): Capability[] | undefined {
  const isEmbedder = told
    ? told.includes('embedding') && !told.includes('completion')
    : /embed|bert|minilm/i.test(`${tag.name} ${tag.details?.family ?? ''}`);
  if (isEmbedder) return ['embeddings'];
  if (!told) return undefined;
  const sees: Capability[] = told.includes('vision') ? ['vision'] : [];
  if (!told.includes('tools')) return ['json-schema', 'streaming', ...sees];
  return sees.length > 0 ? ['tools', 'json-schema', 'streaming', ...sees] : undefined;
}

/** The entry of a GGUF file; `fileBytes` is the size of all its parts, `contextTokens` what it was made for. */
export function ggufEntry(
  file: string,
  header: { contextTokens: number | undefined; fileBytes: number },
): Omit<FoundModel, 'from'> {
  const name = entryNameOf(basename(file).replace(/(-00001-of-\d{5})?\.gguf$/i, ''));
  const contextTokens = Math.min(header.contextTokens ?? 8192, 32_768);
  return {
    name,
    options: {
      backend: 'llama',
      file,
      pool: name.replaceAll(/[^A-Za-z0-9_-]/g, '-').slice(0, 64),
      contextTokens,
      maxTokens: standardMaxTokens(contextTokens),
      tier: tierOfBytes(header.fileBytes),
      tags: ['local'],
    },
  };
}

/** A rough guess by the size of the weights: what fits a laptop, a workstation, a server. */
function tierOfBytes(bytes: number): NonNullable<ModelOptions['tier']> {
  if (bytes >= 40e9) return 'large';
  return bytes >= 12e9 ? 'medium' : 'small';
}

/** A name that an entry may have: others of their characters become hyphens. */
export function entryNameOf(model: string): string {
  const name = model.replaceAll(/[^A-Za-z0-9._:#/@+-]/g, '-').replace(/^[^A-Za-z0-9]+/, '');
  return name === '' ? 'model' : name.slice(0, 200);
}

/**
 * Entries of one name each: what is there twice has its pool before it, then a number behind. A GGUF file has a pool of
 * its own too.
 */
export function withOwnNames(models: FoundModel[]): FoundModel[] {
  const taken = new Set<string>();
  const pools = new Set<string>();
  return models.map((model) => {
    let name = model.name;
    if (taken.has(name)) name = entryNameOf(`${model.options.pool ?? model.options.backend}/${model.name}`);
    for (let number = 2; taken.has(name); number += 1) name = `${model.name}-${number}`;
    taken.add(name);
    const { backend, pool: asked } = model.options;
    if (backend !== 'llama' || asked === undefined) return { ...model, name };
    let pool = asked;
    for (let number = 2; pools.has(pool); number += 1) pool = `${asked.slice(0, 60)}-${number}`;
    pools.add(pool);
    return { ...model, name, options: { ...model.options, pool } };
  });
}
