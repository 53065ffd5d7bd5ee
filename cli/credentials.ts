import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { exportCredentials, holdsAdmin, loadCredentials } from '../bus/credentials.ts';
import type { Config } from '../config/config.ts';
import { joinedConfigFile, readJoined, writeJoined } from '../config/joined.ts';
import { loadConfig } from '../config/load.ts';
import { readMeshFile } from '../config/mesh-file.ts';
import { writePrivateFile } from '../config/private-file.ts';
import { nearest } from '../config/problems.ts';
import { createStateDirectory, resolveStateDirectory } from '../config/state.ts';
import { span } from '../observability/span.ts';
import { brokerUsers } from '../schemas/permissions.ts';
import { roles } from '../schemas/row.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { lastPort } from './last-port.ts';
import { verb } from './verb.ts';

/** What another host may be; the launcher's own stay where the mesh is. */
const exportable = [...roles, 'operator'];

interface Options {
  to: string;
  broker?: string;
  each?: boolean;
}

export function registerCredentials(program: Command): void {
  const credentials = program
    .command('credentials')
    .summary('credentials for another host')
    .description('Makes what another host needs to join this mesh; docs/deploy.md goes through it.');
  const command = credentials
    .command('export')
    .summary('make the folder with which another host joins')
    .description(
      'Makes a state folder for another host: the secrets of the roles that it is to run and no others, the public keys of all, the address of the broker, and the configuration that holds here, for its owner only (mode 0600). Take it there as you would a password, then `./switchyard start ROLE --state DIR`. Exported again, it is renewed.',
    )
    .argument('<who...>', `${exportable.join(', ')} (for a gpu-worker: inference)`)
    .requiredOption('--to <dir>', 'the folder to make')
    .option(
      '--broker <url>',
      'address of the broker as that host reaches it; left out: this machine, where mesh.listen lets it in',
    )
    .option('--each', 'a folder for each of them, in DIR, with its name');
  verb<Options>(
    command,
    [
      ['credentials export coder tester --to joined', 'for a host that codes and tests'],
      ['credentials export inference --to gpu --broker tls://build-host:4222', 'one with a model'],
      ['credentials export operator --to laptop', 'one from which tasks are submitted and watched'],
    ],
    async ({ options, environment, output }, ...who) => {
      for (const name of who)
        if (!exportable.includes(name))
          throw new CommandError(
            `nobody is called "${name}"; there are ${exportable.join(', ')}${nearest(name, exportable)}`,
            './switchyard credentials export --help',
            exitCodes.usage,
          );
      const stateDirectory = resolveStateDirectory({ flag: options.state, environment });
      if (readJoined(stateDirectory))
        throw new CommandError(
          `${stateDirectory} joined a mesh of another host, and has no credentials but its own`,
          'run this on the host of the mesh',
        );
      const mesh = readMeshFile(stateDirectory);
      const file = options.config ?? mesh?.configFile;
      const config = loadConfig({ file, stateDirectory, environment });
      const url = brokerAddress(options, config, mesh?.ports['nats'] ?? lastPort(stateDirectory));
      createStateDirectory(stateDirectory);
      await loadCredentials(stateDirectory, [...brokerUsers]);

      const folders = options.each
        ? who.map((name) => ({ names: [name], folder: resolve(options.to, name) }))
        : [{ names: who, folder: resolve(options.to) }];
      for (const { names, folder } of folders) {
        await refuseOwn(folder, stateDirectory);
        createStateDirectory(folder);
        await exportCredentials(stateDirectory, names, folder);
        writePrivateFile(joinedConfigFile(folder), configFor(config, folder));
        writeJoined(folder, { name: config.mesh.name, namespace: config.mesh.namespace, url });
      }
      output.result(
        { url, folders: folders.map(({ names, folder }) => ({ who: names, folder })) },
        folders.map(({ names, folder }) => [
          span(folder, 'accent', 400),
          span(`: ${names.join(', ')} of the mesh "${config.mesh.name}" at ${url}`),
        ]),
      );
      return exitCodes.done;
    },
  );
}

function brokerAddress(options: Options, { mesh }: Config, runningPort: number | undefined): string {
  if (options.broker !== undefined) {
    if (/^(nats|tls):\/\/[^@\s/]+:\d+$/.test(options.broker)) return options.broker;
    throw new CommandError(
      'what --broker names is no address of a broker',
      'give nats://HOST:PORT, or tls://HOST:PORT where mesh.tls is set',
      exitCodes.usage,
    );
  }
  if (mesh.url !== undefined) return mesh.url;
  const port = mesh.port ?? runningPort;
  if (mesh.listen === undefined || /^(127\.|::1$)/.test(mesh.listen))
    throw new CommandError(
      'the broker listens on loopback only, where no other host reaches it',
      'set mesh.listen and mesh.port in switchyard.yaml and start `up` again, or name the way to it (a tunnel) with --broker URL',
    );
  if (port === undefined)
    throw new CommandError(
      'the broker has no port yet',
      'set mesh.port in switchyard.yaml, or start `up` first',
    );
  const host = /^(0\.0\.0\.0|::)$/.test(mesh.listen) ? hostname() : mesh.listen;
  return `${mesh.tls ? 'tls' : 'nats'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

async function refuseOwn(folder: string, stateDirectory: string): Promise<void> {
  if (folder !== stateDirectory && !(await holdsAdmin(folder))) return;
  throw new CommandError(
    `${folder} is the state folder of a mesh; its credentials are not to be taken elsewhere`,
    'give another folder with --to DIR',
    exitCodes.usage,
  );
}

/** The configuration as it holds here, without what only the mesh's own host does with it. */
function configFor(config: Config, folder: string): string {
  const { port: _port, listen: _listen, tls: _tls, page: _page, ...mesh } = config.mesh;
  // The user of an operator's own broker is needed there as well; the path is relative to the configuration.
  if (mesh.credentials !== undefined) {
    writePrivateFile(join(folder, 'broker.json'), readFileSync(mesh.credentials, 'utf8'));
    mesh.credentials = 'broker.json';
  }
  return `# As it held on ${hostname()}. Paths are as they were there.\n${stringify({ ...config, mesh })}`;
}
