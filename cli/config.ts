import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { configDigest, findConfigFile, loadConfig } from '../config/load.ts';
import { configSources } from '../config/sources.ts';
import { resolveStateDirectory } from '../config/state.ts';
import { configTemplate } from '../config/template.ts';
import { span } from '../observability/span.ts';
import { censor } from '../schemas/secrets.ts';
import { registerConfigAllowed } from './config-allowed.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { verb } from './verb.ts';

export function registerConfig(program: Command): void {
  const config = program
    .command('config')
    .summary('make, check and show the configuration')
    .description('Makes, checks and shows switchyard.yaml; docs/configuration.md explains every option.');

  verb<{ force?: boolean }>(
    config
      .command('init')
      .summary('write a commented switchyard.yaml')
      .description(
        'Writes a switchyard.yaml with every option as a comment that shows its default, or an example where there is none. Nothing in it holds until you take a # away.',
      )
      .option('--force', 'in place of a file that is there'),
    [
      ['config init', 'beside the state folder'],
      ['config init --config ./switchyard.yaml', 'at a place of your choice'],
    ],
    async ({ options, environment, output }) => {
      const stateDirectory = resolveStateDirectory({ flag: options.state, environment });
      const named = options.config || environment['SWITCHYARD_CONFIG'];
      const file = named ? resolve(named) : join(dirname(stateDirectory), 'switchyard.yaml');
      if (existsSync(file) && options.force !== true)
        throw new CommandError(`${file} is there already`, 'edit it, or write it anew with --force');
      writeTemplate(file);
      output.result({ file }, [
        [span('wrote ', 'good'), span(file)],
        [span('  check it after a change: ', 'dim'), span('./switchyard config validate', 'accent')],
      ]);
      return exitCodes.done;
    },
  );

  verb(
    config
      .command('validate')
      .summary('check switchyard.yaml')
      .description(
        'Checks the configuration: everything that is wrong at once, with the line, the accepted values and the nearest spelling (exit code 2).',
      ),
    [
      ['config validate', 'the file that holds'],
      ['config validate --config other.yaml', 'another file'],
    ],
    async ({ options, environment, output }) => {
      const stateDirectory = resolveStateDirectory({ flag: options.state, environment });
      const request = { file: options.config, stateDirectory, environment };
      const loaded = loadConfig({ ...request, overrides: {} });
      const file = findConfigFile(request);
      output.result({ file, digest: configDigest(loaded), problems: [] }, [
        [
          span('valid', 'good'),
          span(file ? `: ${file}` : ': there is no switchyard.yaml, so the defaults hold'),
        ],
      ]);
      return exitCodes.done;
    },
  );

  verb(
    config
      .command('show')
      .summary('print the configuration that holds')
      .description(
        'Prints the configuration that holds: defaults, switchyard.yaml, what was allowed at run time, and what `up` was started with, and names where they come from. It holds no key, only the names of variables.',
      ),
    [
      ['config show', 'as YAML'],
      ['config show --json', 'as JSON'],
    ],
    async ({ options, environment, output }) => {
      const stateDirectory = resolveStateDirectory({ flag: options.state, environment });
      const request = { file: options.config, stateDirectory, environment };
      const loaded = censor(loadConfig(request));
      const file = findConfigFile(request);
      const sources = configSources(request);
      const heading = [
        file === undefined ? '# the defaults: there is no switchyard.yaml' : '# the defaults, and over them',
        ...(file === undefined && sources.length > 0 ? ['# over them'] : []),
        ...sources.map(({ name, meaning }) => `#   ${name}: ${meaning}`),
      ];
      output.result(
        { file, sources, digest: configDigest(loaded), config: loaded },
        [...heading, stringify(loaded).trimEnd()].join('\n'),
      );
      return exitCodes.done;
    },
  );
  registerConfigAllowed(config);
}

function writeTemplate(file: string): void {
  try {
    writeFileSync(file, configTemplate(), { mode: 0o600 });
  } catch (failure) {
    const reasons: Record<string, string> = {
      ENOENT: 'its folder is not there',
      EACCES: 'this user may not write there',
      EROFS: 'what it lies on is read-only',
      ENOTDIR: 'what is named as its folder is none',
      EISDIR: 'it is a folder',
    };
    const reason = reasons[(failure as NodeJS.ErrnoException).code ?? ''];
    if (reason === undefined) throw failure;
    throw new CommandError(`${file} cannot be written: ${reason}`, 'name another file with --config FILE');
  }
}
