import type { Command } from 'commander';
import { ensureStreams } from '../bus/streams.ts';
import { ConfigurationError } from '../config/configuration-error.ts';
import { loadConfig } from '../config/load.ts';
import { readMeshFile } from '../config/mesh-file.ts';
import { resolveStateDirectory } from '../config/state.ts';
import { roles, type Role } from '../schemas/row.ts';
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
    throw new ConfigurationError([`there is no role "${name}"; there are ${roles.join(', ')}`]);
  const role = name as Role;
  const stateDirectory = resolveStateDirectory({ flag: options.state, environment });
  const config = loadConfig({ file: options.config, stateDirectory, environment });
  const url = config.mesh.url ?? readMeshFile(stateDirectory)?.url;
  if (url === undefined)
    throw new ConfigurationError([
      `no mesh runs on ${stateDirectory}: start one with \`./switchyard up\`, or give its \`--state DIR\``,
    ]);
  const bubblewrap = await findSandbox(environment, say);
  const bus = await reachBroker(config, stateDirectory, url);
  await ensureStreams(bus, config.mesh.namespace, poolsOf(config), config.mesh.leaseMs);
  const launcher = openRoles({
    config,
    stateDirectory,
    environment,
    bus,
    bubblewrap,
    configFile: options.config,
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
    const ended = bus.connection.closed().then(() => 6);
    return await Promise.race([interrupted, ended]);
  } finally {
    await launcher.stop();
    await bus.connection.close().catch(() => {});
  }
}
