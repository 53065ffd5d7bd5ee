import type { Command } from 'commander';
import { PINNED_SERVER } from '../bus/nats-version.ts';
import { packageVersion } from '../config/membership.ts';
import { span } from '../observability/span.ts';
import { exitCodes } from './exit-codes.ts';
import { verb } from './verb.ts';

export function registerVersion(program: Command): void {
  const command = program
    .command('version')
    .summary('print the version')
    .description('Prints the version of Switchyard and of the Node.js that runs it.');
  verb(command, [['version', 'which version this is']], async ({ output }) => {
    const version = packageVersion();
    const { node } = process.versions;
    const { platform, arch } = process;
    output.result({ version, node, platform, arch, pinnedNatsServer: PINNED_SERVER }, [
      [span(`switchyard ${version}`, 'accent'), span(`  (Node.js ${node}, ${platform} ${arch})`, 'dim')],
    ]);
    return exitCodes.done;
  });
}
