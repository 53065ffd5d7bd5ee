import { existsSync, realpathSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ConfigurationError } from '../config/configuration-error.ts';
import { Models, standardMaxTokens } from '../config/model-options.ts';
import { fillAndCheck, nearest } from '../config/problems.ts';
import { BackendError, type ModelDefinition } from '../inference/backend.ts';
import { readGguf } from '../inference/backends/gguf.ts';
import { allowedCpus, readCpuList, type Share } from './threads.ts';

/** What a gpu-worker is told to serve, and where to compute. */
export interface WorkerSettings {
  definition: ModelDefinition;
  /** Processors to be bound to; `all`: to none; undefined: by the machine, where threads are not given. */
  cpus: number[] | 'all' | undefined;
  /** Its part of the machine, where neither threads nor processors are given. */
  share: Share;
}

const usage =
  'node gpu-worker/main.ts --state DIR --model NAME|FILE.gguf [--name NAME] [--pool POOL] [--slots N] [--threads N] [--gpu-layers N] [--context TOKENS] [--cpus LIST|all] [--place N]';

/** A context that most prompts of agents fit in and most machines can hold. */
const standardContextTokens = 16_384;

/**
 * Reads a gpu-worker's command line. A name is looked up among the configured models; a file that none of them names
 * becomes a model by itself, called after the file, in the pool `gpu`. Throws ConfigurationError.
 */
export function workerSettings(
  argv: string[],
  models: ModelDefinition[],
  allowed = allowedCpus(),
): WorkerSettings {
  const flags = readFlags(argv);
  const asked = flags.model;
  if (asked === undefined) throw refusal(`--model is missing; usage: ${usage}`);
  const known = models.find((model) => model.name === asked) ?? entryOf(asked, models);
  const definition = known ? { ...known } : newDefinition(asked, flags, models);
  if (definition.backend !== 'llama')
    throw refusal(
      `the model ${definition.name} is of the backend ${definition.backend}, which inference processes ask; a gpu-worker serves models of the backend llama`,
    );
  for (const [option, flag] of Object.entries(flagOf)) {
    const given = flags[flag];
    if (given !== undefined) Object.assign(definition, { [option]: numberOf(given) });
  }
  if (flags.pool !== undefined) definition.pool = flags.pool;
  if (flags.name !== undefined) definition.name = flags.name;
  if (definition.maxTokens >= definition.contextTokens)
    definition.maxTokens = standardMaxTokens(definition.contextTokens);
  refuseUnfit(definition);
  refuseSharedNames(definition, models, known?.name);
  return { definition, cpus: cpusOf(flags.cpus, allowed), share: shareOf(flags.place, known, models) };
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
    place: text,
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

/** The options of an entry that a flag of another name gives anew. */
const flagOf = {
  slots: 'slots',
  threads: 'threads',
  gpuLayers: 'gpu-layers',
  contextTokens: 'context',
} as const;

/** What is no number is left to be refused as one. */
const numberOf = (text: string): number | string => (/^\d+$/.test(text) ? Number(text) : text);

/** What a flag says is held to the same rules as an entry of switchyard.yaml. */
function refuseUnfit({ name, ...entry }: ModelDefinition): void {
  const problems = fillAndCheck(Models, { [name]: entry }).map(({ path, what }) => {
    const option = path[1] as string | undefined;
    if (option === undefined) return `--name ${name}: ${what}`;
    return `--${flagOf[option as keyof typeof flagOf] ?? option}: ${what}`;
  });
  if (problems.length > 0) throw new ConfigurationError(problems);
}

/** No machine has more. */
const mostCpus = 8192;

function cpusOf(text: string | undefined, allowed: number[] | undefined): WorkerSettings['cpus'] {
  if (text === undefined || text === 'all') return text;
  const refuse = (why: string) => refusal(`--cpus ${text}: ${why}; accepted: a list such as 0-3,6, or all`);
  if (!/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(text)) throw refuse('this is no list of processors');
  for (const part of text.split(',')) {
    const [from = 0, to = from] = part.split('-').map(Number);
    if (from > to) throw refuse(`${part} runs backwards`);
    if (to >= mostCpus) throw refuse(`there is no processor ${to}`);
  }
  const cpus = readCpuList(text);
  const other = cpus.find((cpu) => allowed !== undefined && !allowed.includes(cpu));
  if (other !== undefined)
    throw refuse(
      `this process may use ${allowed!.length} processors from ${allowed![0]} to ${allowed!.at(-1)}, and not ${other}`,
    );
  return cpus;
}

/** Of all gpu-workers that the configuration wants; one that it does not know comes on top. */
function shareOf(
  place: string | undefined,
  known: ModelDefinition | undefined,
  models: ModelDefinition[],
): Share {
  const wanted = models
    .filter((model) => model.backend === 'llama')
    .reduce((sum, model) => sum + (model.workers ?? 1), 0);
  const workers = known && known.workers !== 0 ? wanted : wanted + 1;
  if (place === undefined) return { workers };
  const number = numberOf(place);
  if (typeof number === 'string' || number >= workers)
    throw refusal(`--place ${place} is not accepted; accepted: a whole number below ${workers}`);
  return { workers, place: number };
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
