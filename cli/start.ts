import type { Command } from 'commander';
import type { Bus } from '../bus/connect.ts';
import type { Program } from '../bus/launcher.ts';
import { ensureStreams } from '../bus/streams.ts';
import { nearest } from '../config/problems.ts';
import { roles } from '../schemas/row.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { requireLlama, workerArguments, type WorkerOptions } from './gpu-worker.ts';
import { openInterrupts } from './interrupts.ts';
import { findMesh, isEncrypted, requireCredential, userOf, type FoundMesh } from './find-mesh.ts';
import { findSandbox, sayUnheld } from './find-sandbox.ts';
import { openRoles, poolsOf, reachBroker, reachBrokerAs } from './mesh.ts';
import { tellStarted } from './started.ts';
import { stopRoles } from './stop-roles.ts';

const startable: Program[] = [...roles, 'gpu-worker'];

interface StartOptions extends WorkerOptions {
  state?: string;
  config?: string;
  broker?: string;
}

export function registerStart(program: Command): void {
  program
    .command('start')
    .argument('<program>', startable.join(', '))
    .summary('start one more process of a role, or a gpu-worker')
    .description(
      'Starts a process of a role that joins the running mesh and takes its share, until Ctrl-C. Stopping it loses nothing. A gpu-worker answers model calls with llama.cpp; the options are for it.',
    )
    .option(
      '--broker <url>',
      'address of the broker of a mesh on another host; left out: as the state folder says',
    )
    .option('--model <model>', 'a GGUF file, or the name of a model of the backend `llama`')
    .option('--pool <pool>', "the pool it serves; left out: the model's, or `gpu` for a file")
    .option('--slots <count>', 'replies that it writes at a time')
    .option('--threads <count>', 'processor threads; left out: cores - 1')
    .option('--gpu-layers <count>', 'layers on the graphics card; left out: as many as it holds')
    .option('--context <tokens>', 'context of each slot')
    .option('--name <name>', "the model's name in the mesh; left out: that of the file")
    .option('--cpus <list>', 'processors that it is bound to, such as 0-3, or all')
    .addHelpText(
      'after',
      [
        '',
        'Examples:',
        '  ./switchyard start coder',
        '  ./switchyard start inference',
        '  ./switchyard start gpu-worker --model qwen3-8b-q4.gguf',
        '  ./switchyard start coder --state joined --broker nats://build-host:4222',
      ].join('\n'),
    )
    .action(async (program: string, _options: unknown, command: Command) => {
      process.exitCode = await start(program, command.optsWithGlobals<StartOptions>(), process.env);
    });
}

async function start(
  name: string,
  options: StartOptions,
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
  const membership = findMesh(options, environment);
  const { stateDirectory, file, config, url } = membership;
  const args = program === 'gpu-worker' ? workerArguments(options, config) : workerOptionsRefused(options);
  if (program === 'gpu-worker') await requireLlama(say);
  const sandbox = await findSandbox(environment, say);
  sayUnheld(say, sandbox, config.tools.withoutSandbox);
  const bus = await reach(membership, program, say);
  const launcher = openRoles({
    config,
    stateDirectory,
    environment,
    bus,
    bubblewrap: sandbox.bubblewrap,
    configFile: file,
    brokerUrl: options.broker,
    onDeath: (child, how) =>
      say(
        `the ${child.program} (pid ${child.pid}) ${how}; another takes its place. Its log: ${child.logFile}`,
      ),
  });
  const interrupts = openInterrupts();
  void interrupts.first.then(() => launcher.expectEnds());
  let stopTelling = () => {};
  try {
    const child = await Promise.race([launcher.start(program, args), interrupts.first]);
    if (typeof child === 'number') return child;
    stopTelling = tellStarted(stateDirectory, { program, url }, launcher);
    say(`${child.process} (pid ${child.pid}) serves in the mesh at ${url} until Ctrl-C`);
    const ended = bus.connection.closed().then(() => exitCodes.unreachable);
    return await Promise.race([interrupts.first, ended]);
  } finally {
    stopTelling();
    await stopRoles(launcher, interrupts, say);
    await bus.connection.close().catch(() => {});
  }
}

/** As the launcher of the mesh on this folder, or from another host as the role alone. Throws BrokerError and CommandError. */
async function reach(membership: FoundMesh, program: Program, say: (line: string) => void): Promise<Bus> {
  const { stateDirectory, config, url } = membership;
  if (!membership.isElsewhere) {
    const bus = await reachBroker(config, stateDirectory, url);
    await ensureStreams(bus, config.mesh.namespace, poolsOf(config), config.mesh.leaseMs);
    return bus;
  }
  const role = userOf(program);
  await requireCredential(stateDirectory, role);
  if (!isEncrypted(url))
    say(`what is said to ${url} is not encrypted; let it cross a network that you trust only`);
  return reachBrokerAs(role, config, stateDirectory, url);
}

/** Options that would say nothing to a role's process are no options of it. */
function workerOptionsRefused(options: WorkerOptions): string[] {
  const given = (['model', 'pool', 'slots', 'threads', 'gpuLayers', 'context', 'name', 'cpus'] as const).find(
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
