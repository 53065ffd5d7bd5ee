import type { Command } from 'commander';
import { BrokerError } from '../bus/errors.ts';
import { ensureStreams } from '../bus/streams.ts';
import { loadConfig } from '../config/load.ts';
import { readRunningMesh } from '../config/running-mesh.ts';
import { nearest } from '../config/problems.ts';
import { resolveStateDirectory } from '../config/state.ts';
import { roles, type Role } from '../schemas/row.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { findSandbox, openRoles, poolsOf, reachBroker } from './mesh.ts';

export function registerStart(program: Command): void {
  program
    .command('start')
    .argument('<role>', roles.join(', '))
    .summary('start one more process of a role')
    .description(
      'Starts a process of a role that joins the running mesh and takes its share, until Ctrl-C. Stopping it loses nothing.',
    )
    .addHelpText(
      'after',
      ['', 'Examples:', '  ./switchyard start coder', '  ./switchyard start inference'].join('\n'),
    )
    .action(async (role: string, _options: unknown, command: Command) => {
      process.exitCode = await start(
        role,
        command.optsWithGlobals<{ state?: string; config?: string }>(),
        process.env,
      );
    });
}

async function start(
  name: string,
  options: { state?: string; config?: string },
  environment: Record<string, string | undefined>,
): Promise<number> {
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  if (!(roles as readonly string[]).includes(name))
    throw new CommandError(
      `there is no role "${name}"; there are ${roles.join(', ')}${nearest(name, [...roles])}`,
      './switchyard start --help',
      exitCodes.usage,
    );
  const role = name as Role;
  const stateDirectory = resolveStateDirectory({ flag: options.state, environment });
  const file = options.config ?? readRunningMesh(stateDirectory)?.configFile;
  const config = loadConfig({ file, stateDirectory, environment });
  const url = config.mesh.url ?? readRunningMesh(stateDirectory)?.url;
  if (url === undefined)
    throw new BrokerError(
      `no mesh runs on ${stateDirectory}`,
      'start one with `./switchyard up`, name its folder with --state DIR, or name a server in mesh.url',
    );
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
      say(`the ${child.role} (pid ${child.pid}) ${how}; another takes its place. Its log: ${child.logFile}`),
  });
  const interrupted = new Promise<number>((resolve) => {
    process.once('SIGINT', () => resolve(130));
    process.once('SIGTERM', () => resolve(0));
  });
  try {
    const child = await launcher.start(role);
    say(`${child.process} (pid ${child.pid}) serves in the mesh at ${url} until Ctrl-C`);
    const ended = bus.connection.closed().then(() => exitCodes.unreachable);
    return await Promise.race([interrupted, ended]);
  } finally {
    await launcher.stop();
    await bus.connection.close().catch(() => {});
  }
}
