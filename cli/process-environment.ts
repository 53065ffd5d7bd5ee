import { delimiter, join } from 'node:path';
import { cacheDirectoryOf } from '../bus/cache-directory.ts';
import type { Program } from '../bus/launcher.ts';
import type { Config } from '../config/config.ts';
import { modelDefinitions } from '../config/model-options.ts';
import { checkoutRoot } from '../config/state.ts';
import { telemetryVariables } from '../config/telemetry-variables.ts';
import { cardVariables } from '../gpu-worker/check.ts';
import { modelBackend, modelBackends } from '../schemas/model-backends.ts';

type Environment = Record<string, string | undefined>;

const passedOn = [
  'HOME',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'UV_THREADPOOL_SIZE',
  'XDG_CACHE_HOME',
  'XDG_CONFIG_HOME',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SWITCHYARD_LOG_LEVEL',
  'SWITCHYARD_CONFIG',
];
// For models, and for the operator's setup command, which runs with network.
const passedToNetwork = [
  'HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy',
  'SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE PIP_CERT',
].flatMap((line) => line.split(' '));
// Every process reads the configuration by itself, and where a model is asked may stand in such a variable.
const addresses = Object.values(modelBackends).flatMap(({ url }) =>
  typeof url === 'object' && 'variable' in url ? [url.variable] : [],
);
const withNetwork: readonly Program[] = ['inference', 'coder', 'tester'];

/** What a process sees of the environment; only inference sees the keys, and only those that models name. */
export function environmentOf(
  program: Program,
  config: Config,
  environment: Environment,
  more: Environment,
): Environment {
  const keys = modelDefinitions(config.models).flatMap((model) => [
    ...(model.apiKeyVariable ? [model.apiKeyVariable] : []),
    ...(modelBackend(model.backend)?.variables ?? []),
  ]);
  const names = [
    ...passedOn,
    ...telemetryVariables.map((one) => one.name),
    ...addresses,
    ...(withNetwork.includes(program) ? passedToNetwork : []),
    ...(program === 'inference' ? keys : []),
    ...(program === 'gpu-worker' ? cardVariables : []),
  ];
  const path = [join(checkoutRoot, 'node_modules/.bin'), environment['PATH'] ?? ''].join(delimiter);
  const seen = Object.fromEntries(
    names.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]])),
  );
  return {
    ...seen,
    PATH: path,
    // Compiled code is kept between starts: with eight processes on two cores that is most of the wait.
    NODE_COMPILE_CACHE: join(cacheDirectoryOf(environment), 'compiled'),
    ...more,
  };
}

/** What a script that has npm fetch something sees of it: the network's settings and npm's own, and no model's key. */
export function setupEnvironment(environment: Environment): Environment {
  const names = ['PATH', ...passedOn, ...passedToNetwork, ...cardVariables];
  const isPassed = (name: string) => names.includes(name) || /^npm_config_/i.test(name);
  return Object.fromEntries(Object.entries(environment).filter(([name]) => isPassed(name)));
}
