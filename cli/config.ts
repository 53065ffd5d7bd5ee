import type { Command } from 'commander';
import { stringify } from 'yaml';
import { configDigest, findConfigFile, loadConfig, loadConfigAndWarnings } from '../config/load.ts';
import { configSources } from '../config/sources.ts';
import { resolveStateDirectory } from '../config/state.ts';
import { span } from '../observability/span.ts';
import { censor } from '../schemas/secrets.ts';
import { registerConfigAllowed } from './config-allowed.ts';
import { registerConfigInit } from './config-init.ts';
import { exitCodes } from './exit-codes.ts';
import { requireModelFiles } from './model-files.ts';
import { verb } from './verb.ts';
import { warningLines } from './warning-lines.ts';

export function registerConfig(program: Command): void {
  const config = program
    .command('config')
    .summary('make, check and show the configuration')
    .description('Makes, checks and shows switchyard.yaml; docs/configuration.md explains every option.');

  registerConfigInit(config);

  verb(
    config
      .command('validate')
      .summary('check switchyard.yaml')
      .description(
        'Checks the configuration: everything that is wrong at once, with the line, the accepted values and the nearest spelling (exit code 2); then what may not be what you mean, such as a model without prices (exit code 0).',
      ),
    [
      ['config validate', 'the file that holds'],
      ['config validate --config other.yaml', 'another file'],
    ],
    async ({ options, environment, output }) => {
      const stateDirectory = resolveStateDirectory({ flag: options.state, environment });
      const request = { file: options.config, stateDirectory, environment };
      const loaded = loadConfigAndWarnings({ ...request, overrides: {} });
      await requireModelFiles(loaded);
      const { config: checked, warnings } = loaded;
      const file = findConfigFile(request);
      output.result({ file, digest: configDigest(checked), problems: [], warnings }, [
        ...warningLines(warnings),
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
