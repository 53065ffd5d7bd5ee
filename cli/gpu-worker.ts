import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Launcher } from '../bus/launcher.ts';
import type { Config } from '../config/config.ts';
import { modelDefinitions } from '../config/model-options.ts';
import { checkoutRoot } from '../config/state.ts';
import { nearest } from '../config/problems.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { poolsOf, type Say } from './mesh.ts';
import { setupEnvironment } from './process-environment.ts';

/** What `start gpu-worker` takes beside the model; each is one of the worker's own arguments. */
export interface WorkerOptions {
  model?: string;
  pool?: string;
  slots?: string;
  threads?: string;
  gpuLayers?: string;
  context?: string;
  name?: string;
  cpus?: string;
}

/** The worker's arguments. A file is named from here, since the worker runs elsewhere. Throws CommandError without a model. */
export function workerArguments(options: WorkerOptions, config: Config): string[] {
  const models = modelDefinitions(config.models).filter((model) => model.backend === 'llama');
  const model = options.model ?? (models.length === 1 ? models[0]!.name : undefined);
  if (model === undefined) {
    const known = models.map((one) => one.name).join(', ');
    throw new CommandError(
      'a gpu-worker serves one model, and none is named',
      `./switchyard start gpu-worker --model FILE.gguf${known === '' ? '' : `, or --model with one of ${known}`}`,
    );
  }
  const pools = poolsOf(config);
  if (options.pool !== undefined && !pools.includes(options.pool))
    throw new CommandError(
      `the broker knows no pool "${options.pool}"; there are ${pools.join(', ')}${nearest(options.pool, pools)}`,
      'name one of them, or give a model in switchyard.yaml that pool and start the mesh again',
    );
  const isNamed = models.some((one) => one.name === model);
  if (!isNamed && !existsSync(resolve(model))) {
    const known = models.map((one) => one.name);
    throw new CommandError(
      `there is no file ${resolve(model)}, and no model of the backend llama is called "${model}"${nearest(model, known)}`,
      './switchyard models pull fetches a GGUF file; models in switchyard.yaml name those that are there',
      exitCodes.usage,
    );
  }
  const more = [
    ['--pool', options.pool],
    ['--slots', options.slots],
    ['--threads', options.threads],
    ['--gpu-layers', options.gpuLayers],
    ['--context', options.context],
    ['--name', options.name],
    ['--cpus', options.cpus],
  ] as const;
  return [
    '--model',
    isNamed ? model : resolve(model),
    ...more.flatMap(([name, value]) => (value === undefined ? [] : [name, value])),
  ];
}

/**
 * Starts the gpu-workers that the configuration wants: `workers` of each model of the backend `llama`. One after the
 * other, since each takes memory by what it finds free; each is told its place among them, for a part of the processors.
 */
export async function startWorkers(config: Config, launcher: Pick<Launcher, 'start'>): Promise<void> {
  const models = modelDefinitions(config.models).filter((model) => model.backend === 'llama');
  const wanted = models.flatMap((model) => Array.from({ length: model.workers ?? 1 }, () => model.name));
  for (const [place, name] of wanted.entries())
    await launcher.start('gpu-worker', ['--model', name, '--place', String(place)]);
}

/** Sees that llama.cpp is there; what has to be fetched is said by the script that fetches it. Throws CommandError. */
export async function requireLlama(say: Say): Promise<void> {
  const code = await new Promise<number>((done) => {
    const setUp = spawn(process.execPath, [join(checkoutRoot, 'setup', 'gpu-worker.mjs')], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: setupEnvironment(process.env),
    });
    setUp.stderr.setEncoding('utf8');
    setUp.stderr.on('data', (text: string) => {
      for (const line of text.split('\n')) if (line.trim() !== '') say(line.replace(/^switchyard: /, ''));
    });
    setUp.on('error', () => done(1));
    setUp.on('close', (ended) => done(ended ?? 1));
  });
  if (code !== 0)
    throw new CommandError(
      'llama.cpp, which a gpu-worker runs, could not be made ready',
      'node setup/gpu-worker.mjs',
    );
}
