import { existsSync } from 'node:fs';
import { readAllowed } from './allowed.ts';
import { findConfigFile, type ConfigRequest } from './load.ts';
import { keptOverrides } from './overrides.ts';
import { allowedFile, overridesFile } from './state.ts';

/** Where something of the configuration that holds comes from. */
export interface ConfigSource {
  what: 'file' | 'allowed' | 'overrides' | 'environment';
  /** A file's path, or a variable's name. */
  name: string;
  /** In words, for whoever reads the configuration. */
  meaning: string;
}

/** What goes into the configuration beside the defaults, in the order in which one goes over the other. Throws ConfigurationError. */
export function configSources(request: ConfigRequest): ConfigSource[] {
  const file = findConfigFile(request);
  const { stateDirectory, environment } = request;
  const isAllowed = Object.values(readAllowed(stateDirectory)).some((list) => list.length > 0);
  const overrides = keptOverrides(stateDirectory);
  // Sections that say nothing were not given on the command line.
  const isOverridden = Object.values(overrides).some((section) => Object.keys(section).length > 0);
  const sources: (ConfigSource | false)[] = [
    file !== undefined && existsSync(file) && { what: 'file', name: file, meaning: 'the configuration file' },
    isAllowed && {
      what: 'allowed',
      name: allowedFile(stateDirectory),
      meaning: 'what was allowed by naming it in `fix` or `up`; see `config allowed`',
    },
    !!environment['SWITCHYARD_LOG_LEVEL'] && {
      what: 'environment',
      name: 'SWITCHYARD_LOG_LEVEL',
      meaning: 'a variable',
    },
    isOverridden && {
      what: 'overrides',
      name: overridesFile(stateDirectory),
      meaning: 'what the last `up` was started with',
    },
  ];
  return sources.filter((one) => one !== false);
}
