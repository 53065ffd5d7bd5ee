import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  backendNames,
  modelBackends,
  type BackendName,
  type ModelBackend,
} from '../schemas/model-backends.ts';
import type { Config } from './config.ts';
import { environmentVariables } from './environment.ts';
import { addressProblem } from './model-defaults.ts';
import type { ModelOptions } from './model-options.ts';
import type { Problem } from './problems.ts';

type Say = (option: string | undefined, what: string) => void;

/** What entries under `models` say against their backends, against themselves and against each other. */
export function modelProblems({ models }: Config): Problem[] {
  const problems: Problem[] = [];
  for (const [name, model] of Object.entries(models)) {
    const say: Say = (option, what) =>
      problems.push({ path: ['models', name, ...(option === undefined ? [] : [option])], what });
    if (model.maxTokens >= model.contextTokens)
      say(
        'maxTokens',
        `a reply of ${model.maxTokens} tokens leaves no room in a context of ${model.contextTokens}; make it smaller than contextTokens`,
      );
    checkOptions(model, say);
    checkServer(model, say);
    checkCapabilities(model, say);
    checkRecord(model, say);
    checkPrices(model, say);
  }
  return [...problems, ...poolProblems(models)];
}

/** Options that mean something to some backends only. */
const optionsOf: Partial<Record<keyof ModelOptions, BackendName>> = {
  script: 'scripted',
  region: 'bedrock',
  file: 'llama',
  slots: 'llama',
  threads: 'llama',
  gpuLayers: 'llama',
  workers: 'llama',
};
const files: Partial<Record<BackendName, { option: 'script' | 'file'; what: string }>> = {
  scripted: { option: 'script', what: 'the path of a file of replies' },
  llama: { option: 'file', what: 'the path of a GGUF file' },
};

function checkOptions(model: ModelOptions, say: Say): void {
  const backend: ModelBackend = modelBackends[model.backend];
  for (const [option, owner] of Object.entries(optionsOf))
    if (model[option as keyof ModelOptions] !== undefined && owner !== model.backend)
      say(option, `it is for the backend \`${owner}\` only; leave it out`);
  if (model.api !== undefined && model.backend !== 'openai' && model.backend !== 'litellm')
    say('api', 'it is for the backends `openai` and `litellm` only; leave it out');
  if (backend.variables !== undefined && model.apiKeyVariable !== undefined)
    say('apiKeyVariable', `the backend \`${model.backend}\` finds its credentials by itself; leave it out`);
  if (model.backend === 'scripted' && model.record !== undefined)
    say('record', 'these replies are recorded already; leave it out');
  const file = files[model.backend];
  if (file) checkFile(model[file.option], file, say);
  if (backend.url === 'none') {
    for (const option of ['url', 'apiKeyVariable'] as const)
      if (model[option] !== undefined)
        say(option, `the backend \`${model.backend}\` asks no server; leave it out`);
  } else if (backend.url === 'required' && model.url === undefined) {
    const others = backendNames.filter((name) => typeof modelBackends[name].url === 'object');
    const more = others.length > 0 ? `. The backends ${others.join(', ')} have addresses of their own` : '';
    say(
      undefined,
      `"url" is missing; accepted: where the server answers, such as http://127.0.0.1:8000/v1${more}`,
    );
  }
}

/** Where a server is and what opens it. Nothing of either is shown. */
function checkServer({ url, apiKeyVariable }: ModelOptions, say: Say): void {
  const problem = url === undefined ? undefined : addressProblem(url);
  if (problem !== undefined) say('url', `${problem}; accepted: an address such as http://127.0.0.1:11434/v1`);
  const known = environmentVariables.find((one) => one.name === apiKeyVariable);
  if (known && known.setBy !== 'secret')
    say(
      'apiKeyVariable',
      `${known.name} holds no key (${known.meaning.split(/[.:;]/)[0]!.toLowerCase()}), and would be sent to the server as one; name the variable that holds the key`,
    );
}

function checkCapabilities({ backend, capabilities = [] }: ModelOptions, say: Say): void {
  const declared: readonly string[] = modelBackends[backend].capabilities;
  if (capabilities.includes('embeddings') && !declared.includes('embeddings'))
    say(
      'capabilities',
      `the backend \`${backend}\` makes no embeddings, whatever its model can; leave \`embeddings\` out`,
    );
  const twice = twiceIn(capabilities);
  if (twice !== undefined) say('capabilities', `${twice} is here twice; leave one of them out`);
}

function checkRecord({ record }: ModelOptions, say: Say): void {
  if (record === undefined) return;
  if (existsSync(record) && !statSync(record).isFile())
    say('record', `${record} is no file; name a file that recordings are added to`);
  else if (!existsSync(dirname(record)))
    say('record', `there is no folder ${dirname(record)}; create it or correct the path`);
}

/** The first of a list that stands in it once more. */
export function twiceIn(list: readonly string[]): string | undefined {
  return list.find((one, place) => list.indexOf(one) < place);
}

function checkFile(
  path: string | undefined,
  { option, what }: { option: 'script' | 'file'; what: string },
  say: Say,
): void {
  if (path === undefined) say(undefined, `"${option}" is missing; accepted: ${what}`);
  else if (!existsSync(path)) say(option, `there is no file ${path}; create it or correct the path`);
  else if (!statSync(path).isFile()) say(option, `${path} is no file; accepted: ${what}`);
}

function checkPrices({ prices }: ModelOptions, say: Say): void {
  if (prices === undefined) return;
  const { inputMicroDollars: input, cachedInputMicroDollars: cached, asOf } = prices;
  if (cached !== undefined && cached > input)
    say(
      'prices',
      `what was in the cache costs ${cached} and what was not ${input}; a cache is never dearer: exchange or correct them`,
    );
  if (Number.isNaN(Date.parse(asOf)) || new Date(asOf).toISOString().slice(0, 10) !== asOf)
    say('prices', `asOf: there is no day ${asOf}; accepted: a date as "2026-11-20"`);
}

/** A gpu-worker serves the pool of its one model; inference processes serve all others. */
function poolProblems(models: Config['models']): Problem[] {
  const entries = Object.entries(models);
  return entries.flatMap(([name, model], place) => {
    if (model.backend !== 'llama') return [];
    const path = ['models', name, 'pool'];
    const pool = JSON.stringify(model.pool);
    const other = entries.find(([, one]) => one.pool === model.pool && one.backend !== 'llama');
    if (other)
      return [
        {
          path,
          what: `the pool ${pool} is shared with ${other[0]}, which gpu-workers do not serve; give one of the two another pool`,
        },
      ];
    const earlier = entries.slice(0, place).find(([, one]) => one.pool === model.pool);
    if (earlier)
      return [
        {
          path,
          what: `the pool ${pool} is also that of ${earlier[0]}, and each gpu-worker serves all calls of its pool with its one model; give one of the two another pool`,
        },
      ];
    return [];
  });
}
