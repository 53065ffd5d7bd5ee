import { isLoopback } from '../schemas/model-backends.ts';
import type { Config } from './config.ts';
import { environmentVariables } from './environment.ts';
import { nearest } from './problems.ts';
import type { Environment } from './state.ts';

/** Variables by which a collector is named. */
const collectors = environmentVariables
  .map((one) => one.name)
  .filter((name) => /^OTEL_EXPORTER_OTLP_(\w+_)?ENDPOINT$/.test(name));

/** What compose.yaml reads by itself; a `.env` beside it holds them too. */
export const composeVariables = [
  'CONFIG_FILE',
  'GID',
  'GPU',
  'GPU_MEMORY',
  'MODELS',
  'MODEL_KEYS',
  'MODEL_KEYS_FILE',
  'OTLP',
  'REPOSITORIES',
  'UID',
].map((name) => `SWITCHYARD_${name}`);

/** What the environment says that is read, but may not be what is meant. No value is shown: it may hold a key. */
export function environmentWarnings({ mode }: Pick<Config, 'mode'>, environment: Environment): string[] {
  return [...unknownWarnings(environment), ...(mode === 'local-only' ? leavingWarnings(environment) : [])];
}

/** Names of ours that nobody reads. */
function unknownWarnings(environment: Environment): string[] {
  const ours = environmentVariables.map((one) => one.name).filter((name) => name.startsWith('SWITCHYARD_'));
  const known = [...ours, ...composeVariables];
  return Object.keys(environment)
    .filter((name) => name.startsWith('SWITCHYARD_') && environment[name] && !known.includes(name))
    .map((name) => `${name}: nobody reads this variable${nearest(name, ours)}`);
}

/** Spans and logs name goals, files and failures. */
function leavingWarnings(environment: Environment): string[] {
  if (environment['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return [];
  return collectors.flatMap((name) => {
    const value = environment[name]?.trim();
    if (!value || isLoopback(/^\w+:\/\//.test(value) ? value : `http://${value}`)) return [];
    return [
      `${name}: it names another machine, and what is exported leaves this one, although the mode is \`local-only\`; name a collector here, or set OTEL_SDK_DISABLED=true`,
    ];
  });
}
