import type { Command } from 'commander';
import { BrokerError } from '../bus/errors.ts';
import type { Program } from '../bus/launcher.ts';
import { ensureStreams } from '../bus/streams.ts';
import { loadConfig } from '../config/load.ts';
import { readRunningMesh } from '../config/running-mesh.ts';
import { nearest } from '../config/problems.ts';
import { resolveStateDirectory } from '../config/state.ts';
import { roles } from '../schemas/row.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { requireLlama, workerArguments, type WorkerOptions } from './gpu-worker.ts';
import { findSandbox, openRoles, poolsOf, reachBroker } from './mesh.ts';

const startable: Program[] = [...roles, 'gpu-worker'];

export function registerStart(program: Command): void {
  program
    .command('start')
    .argument('<program>', startable.join(', '))
    .summary('start one more process of a role, or a gpu-worker')
    .description(
      'Starts a process of a role that joins the running mesh and takes its share, until Ctrl-C. Stopping it loses nothing. A gpu-worker answers model calls with llama.cpp; the options are for it.',
    )
    .option('--model <model>', 'a GGUF file, or the name of a model of the backend `llama`')
    .option('--pool <pool>', "the pool it serves; left out: the model's, or `gpu` for a file")
    .option('--slots <count>', 'replies that it writes at a time')
    .option('--threads <count>', 'processor threads; left out: cores - 1')
    .option('--gpu-layers <count>', 'layers on the graphics card; left out: as many as it holds')
    .option('--context <tokens>', 'context of each slot')
    .addHelpText(
      'after',
      [
        '',
        'Examples:',
        '  ./switchyard start coder',
        '  ./switchyard start inference',
        '  ./switchyard start gpu-worker --model qwen3-8b-q4.gguf',
      ].join('\n'),
    )
    .action(async (program: string, _options: unknown, command: Command) => {
      process.exitCode = await start(
        program,
        command.optsWithGlobals<{ state?: string; config?: string } & WorkerOptions>(),
        process.env,
      );
    });
}

async function start(
  name: string,
  options: { state?: string; config?: string } & WorkerOptions,
  environment: Record<string, string | undefined>,
): Promise<number> {
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const program = startable.find((one) => one === name);
  if (program === undefined)
    throw new CommandError(
      `there is no role "${name}"; there are ${startable.join(', ')}${nearest(name, startable)}`,
      './switchyard start --help',
      exitCodes.usage,
    );
  const stateDirectory = resolveStateDirectory({ flag: options.state, environment });
  const file = options.config ?? readRunningMesh(stateDirectory)?.configFile;
  const config = loadConfig({ file, stateDirectory, environment });
  const url = config.mesh.url ?? readRunningMesh(stateDirectory)?.url;
  if (url === undefined)
    throw new BrokerError(
      `no mesh runs on ${stateDirectory}`,
      'start one with `./switchyard up`, name its folder with --state DIR, or name a server in mesh.url',
    );
  const args = program === 'gpu-worker' ? workerArguments(options, config) : workerOptionsRefused(options);
  if (program === 'gpu-worker') await requireLlama(say);
  const bubblewrap = await findSandbox(environment, say);
  const bus = await reachBroker(config, stateDirectory, url);
  await ensureStreams(bus, config.mesh.namespace, poolsOf(config), config.mesh.leaseMs);
  const launcher = openRoles({
    config,
    stateDirectory,
    environment,
    bus,
    bubblewrap,
    configFile: file,
    onDeath: (child, how) =>
      say(
        `the ${child.program} (pid ${child.pid}) ${how}; another takes its place. Its log: ${child.logFile}`,
      ),
  });
  const interrupted = new Promise<number>((resolve) => {
    process.once('SIGINT', () => resolve(130));
    process.once('SIGTERM', () => resolve(0));
  });
  try {
    const child = await launcher.start(program, args);
    say(`${child.process} (pid ${child.pid}) serves in the mesh at ${url} until Ctrl-C`);
    const ended = bus.connection.closed().then(() => exitCodes.unreachable);
    return await Promise.race([interrupted, ended]);
  } finally {
    await launcher.stop();
    await bus.connection.close().catch(() => {});
  }
}

/** Options that would say nothing to a role's process are no options of it. */
function workerOptionsRefused(options: WorkerOptions): string[] {
  const given = (['model', 'pool', 'slots', 'threads', 'gpuLayers', 'context'] as const).find(
    (name) => options[name] !== undefined,
  );
  if (given === undefined) return [];
  const flag = `--${given.replace('L', '-l')}`;
  throw new CommandError(
    `${flag} is for a gpu-worker only`,
    './switchyard start gpu-worker --help',
    exitCodes.usage,
  );
}
