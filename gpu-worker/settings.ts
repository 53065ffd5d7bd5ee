import { existsSync, realpathSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ConfigurationError } from '../config/configuration-error.ts';
import { standardMaxTokens } from '../config/model-options.ts';
import { nearest } from '../config/problems.ts';
import { BackendError, type ModelDefinition } from '../inference/backend.ts';
import { readGguf } from '../inference/backends/gguf.ts';
import { readCpuList } from './threads.ts';

/** What a gpu-worker is told to serve, and where to compute. */
export interface WorkerSettings {
  definition: ModelDefinition;
  /** Processors to be bound to; `all`: to none; undefined: by the machine, where threads are not given. */
  cpus: number[] | 'all' | undefined;
}

const usage =
  'node gpu-worker/main.ts --state DIR --model NAME|FILE.gguf [--name NAME] [--pool POOL] [--slots N] [--threads N] [--gpu-layers N] [--context TOKENS] [--cpus LIST|all]';

/** A context that most prompts of agents fit in and most machines can hold. */
const standardContextTokens = 16_384;

/**
 * Reads a gpu-worker's command line. A name is looked up among the configured models; a file that none of them names
 * becomes a model by itself, called after the file, in the pool `gpu`. Throws ConfigurationError.
 */
export function workerSettings(argv: string[], models: ModelDefinition[]): WorkerSettings {
  const flags = readFlags(argv);
  const asked = flags.model;
  if (asked === undefined) throw refusal(`--model is missing; usage: ${usage}`);
  const known = models.find((model) => model.name === asked) ?? entryOf(asked, models);
  const definition = known ? { ...known } : newDefinition(asked, flags, models);
  if (definition.backend !== 'llama')
    throw refusal(
      `the model ${definition.name} is of the backend ${definition.backend}, which inference processes ask; a gpu-worker serves models of the backend llama`,
    );
  const slots = count(flags.slots, '--slots', 1);
  const threads = count(flags.threads, '--threads', 1);
  const gpuLayers = count(flags['gpu-layers'], '--gpu-layers', 0);
  const contextTokens = count(flags.context, '--context', 16);
  if (flags.pool !== undefined) definition.pool = flags.pool;
  if (flags.name !== undefined) definition.name = flags.name;
  if (slots !== undefined) definition.slots = slots;
  if (threads !== undefined) definition.threads = threads;
  if (gpuLayers !== undefined) definition.gpuLayers = gpuLayers;
  if (contextTokens !== undefined) definition.contextTokens = contextTokens;
  if (definition.maxTokens >= definition.contextTokens)
    definition.maxTokens = standardMaxTokens(definition.contextTokens);
  refuseSharedNames(definition, models, known?.name);
  return { definition, cpus: cpusOf(flags.cpus) };
}

function readFlags(argv: string[]) {
  const text = { type: 'string' } as const;
  const options = {
    model: text,
    name: text,
    pool: text,
    slots: text,
    threads: text,
    'gpu-layers': text,
    context: text,
    cpus: text,
    state: text,
    config: text,
  };
  try {
    return parseArgs({ args: argv.slice(2), options }).values;
  } catch (error) {
    throw refusal(`${(error as Error).message}; usage: ${usage}`);
  }
}

const refusal = (problem: string) => new ConfigurationError([problem]);

function count(text: string | undefined, flag: string, least: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < least)
    throw refusal(`${flag} ${text} is not accepted; accepted: a whole number, at least ${least}`);
  return value;
}

function cpusOf(text: string | undefined): WorkerSettings['cpus'] {
  if (text === undefined || text === 'all') return text;
  if (/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(text)) return readCpuList(text);
  throw refusal(`--cpus ${text} is not accepted; accepted: a list such as 0-3,6, or all`);
}

/** The configured model of the same file. */
function entryOf(asked: string, models: ModelDefinition[]): ModelDefinition | undefined {
  const real = (file: string) => (existsSync(file) ? realpathSync(file) : resolve(file));
  return models.find((model) => model.file !== undefined && real(model.file) === real(asked));
}

function newDefinition(
  asked: string,
  flags: ReturnType<typeof readFlags>,
  models: ModelDefinition[],
): ModelDefinition {
  const names = models.filter((model) => model.backend === 'llama').map((model) => model.name);
  if (!existsSync(asked) && !/\.gguf$|[/\\]/i.test(asked))
    throw refusal(
      `--model ${asked} is no model of the configuration and no file; configured for gpu-workers: ${names.join(', ') || 'none'}${nearest(asked, names)}`,
    );
  const file = resolve(asked);
  let header;
  try {
    header = readGguf(file);
  } catch (error) {
    throw error instanceof BackendError ? refusal(error.message) : error;
  }
  const name = basename(file).replace(/\.gguf$/i, '');
  const contextTokens = Math.min(header.contextTokens ?? standardContextTokens, standardContextTokens);
  return {
    name:
      flags.name ?? (name.replaceAll(/[^A-Za-z0-9._:#/@+-]/g, '-').replace(/^[^A-Za-z0-9]+/, '') || 'gguf'),
    backend: 'llama',
    pool: 'gpu',
    model: name,
    file,
    contextTokens,
    maxTokens: standardMaxTokens(contextTokens),
    tags: ['local'],
    timeoutMs: 300_000,
  };
}

/** A worker takes every call of its pool, so all of that pool must be of its model. */
function refuseSharedNames(
  definition: ModelDefinition,
  models: ModelDefinition[],
  entry: string | undefined,
): void {
  const others = models.filter((model) => model.name !== entry);
  if (others.some((model) => model.name === definition.name))
    throw refusal(
      `the configuration has another model of the name ${definition.name}; give this one its own with --name`,
    );
  const other = others.find((model) => model.pool === definition.pool);
  if (other)
    throw refusal(
      `the pool ${definition.pool} is also that of the model ${other.name}, and a gpu-worker serves all calls of its pool; give one of the two a pool of its own${entry === undefined ? ' with --pool' : ''}`,
    );
}
