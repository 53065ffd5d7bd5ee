import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { BrokerError } from '../bus/errors.ts';
import { writePrivateFile } from '../config/private-file.ts';
import { readRunningMesh } from '../config/running-mesh.ts';
import { observerDirectory, resolveStateDirectory } from '../config/state.ts';
import { span } from '../observability/span.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { freshLink } from './observer.ts';
import { verb } from './verb.ts';

export function registerDashboard(program: Command): void {
  const command = program
    .command('dashboard')
    .summary('print a link to the page that shows the mesh')
    .description(
      'Prints a link to the page of the running mesh. It works once, within the hour, on this machine; the browser that opens it stays let in for twelve hours. Whoever has the link can read everything that the mesh does, and change nothing.',
    )
    .option('--open', 'open it in your browser as well');
  verb<{ open?: boolean }>(
    command,
    [
      ['dashboard', 'a fresh link'],
      ['dashboard --open', 'opens it'],
    ],
    async ({ options, environment, output }) => {
      const stateDirectory = resolveStateDirectory({ flag: options.state, environment });
      const mesh = readRunningMesh(stateDirectory);
      if (!mesh)
        throw new BrokerError(
          `no mesh runs on ${stateDirectory}`,
          'start one with `./switchyard up`, or name its folder with --state DIR',
        );
      const port = mesh.ports['page'];
      if (port === undefined)
        throw new CommandError(
          'this mesh serves no page',
          'start it without --no-dashboard and --once, on a broker of its own (without mesh.url)',
        );
      const link = await freshLink(stateDirectory, port);
      if (options.open) openBrowser(stateDirectory, link);
      output.result({ link }, [[span(link, 'accent', 400)]]);
      return exitCodes.done;
    },
  );
}

/** Through a file of the owner's: the arguments of a program can be read by every user of the machine. */
function openBrowser(stateDirectory: string, link: string): void {
  const file = join(observerDirectory(stateDirectory), 'open.html');
  writePrivateFile(
    file,
    `<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=${link}"><title>Switchyard</title>\n`,
  );
  const opener = process.platform === 'darwin' ? 'open' : 'xdg-open';
  const child = spawn(opener, [pathToFileURL(file).href], { detached: true, stdio: 'ignore' });
  child.on('error', () => {
    // Without one the printed link is opened by hand.
  });
  child.unref();
}
