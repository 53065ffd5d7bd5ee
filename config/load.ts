import { createHash } from 'node:crypto';
import { existsSync, realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { AgentRole } from '../schemas/row.ts';
import { readAllowed } from './allowed.ts';
import { Config, logLevels } from './config.ts';
import { ConfigurationError } from './configuration-error.ts';
import { environmentProblems } from './environment-problems.ts';
import { environmentWarnings } from './environment-warnings.ts';
import { crossProblems } from './cross-check.ts';
import { keptOverrides, override, type Overrides } from './overrides.ts';
import { modelsByDefault } from './mode.ts';
import { standardMaxTokens } from './model-options.ts';
import { fillAndCheck, optionName, type Problem } from './problems.ts';
import { checkoutRoot, type Environment } from './state.ts';
import { configWarnings, repositoryWarnings } from './warnings.ts';
import { readYamlFile, type Path, type YamlFile } from './yaml-file.ts';

export interface ConfigRequest {
  /** `--config FILE`. */
  file?: string | undefined;
  stateDirectory: string;
  environment: Environment;
  /** From the command line; left out: what `up` was started with, as `keepOverrides` kept it. */
  overrides?: Overrides;
}

/**
 * The configuration that holds: defaults, `switchyard.yaml`, what was allowed at run time, the command line. Paths in
 * it are absolute, and every role lists its models. Throws ConfigurationError with everything that is wrong at once.
 */
export function loadConfig(request: ConfigRequest): Config {
  return loadConfigAndWarnings(request).config;
}

/** A configuration, and what in it is allowed but may not be what is meant. */
export interface LoadedConfig {
  config: Config;
  /** Each a sentence, as problems are. */
  warnings: string[];
  /** Makes a sentence with its place of what else is found to be wrong with an option. */
  sentenceOf(problem: Problem): string;
}

/** The same, with what may not be meant. */
export function loadConfigAndWarnings(request: ConfigRequest): LoadedConfig {
  const { environment } = request;
  const unusable = environmentProblems(environment);
  if (unusable.length > 0) throw new ConfigurationError(unusable);
  const file = findConfigFile(request);
  const yaml = file === undefined ? undefined : readYamlFile(file);
  const place = (path: Path) => yaml?.place(path) ?? '';
  const written = check(yaml ? contentOf(yaml) : {}, environment, place);
  const allowed = readAllowed(request.stateDirectory);
  const level = logLevels.find((known) => known === environment['SWITCHYARD_LOG_LEVEL']);
  let config = override(written, { allow: allowed, ...(level && { log: { level } }) });
  const overrides = request.overrides ?? keptOverrides(request.stateDirectory);
  if (overrides.onlyMesh) {
    const { mesh, log, allow } = config;
    config = check({ mesh, log, allow }, environment, place);
  }
  config = override(config, overrides);
  const commandLine = request.overrides ? 'command line' : 'command line of `up`';
  config = listModels(
    check(config, environment, () => commandLine),
    environment,
  );
  const isOverridden = ([section, name]: Path) =>
    section === 'models' && Object.hasOwn(overrides.models ?? {}, String(name));
  const sentenceOf = (problem: Problem) =>
    sentence(problem, (path) => (isOverridden(path) ? commandLine : place(path))).trim();
  const doubtful = [...repositoryWarnings(written), ...configWarnings(config, environment)];
  const warnings = [...doubtful.map(sentenceOf), ...environmentWarnings(config, environment)];
  return { config, warnings, sentenceOf };
}

/**
 * The file that the configuration comes from: `--config`, else SWITCHYARD_CONFIG, else `switchyard.yaml` beside the
 * state folder, else the one in the checkout; undefined where there is none and the defaults hold.
 */
export function findConfigFile(request: Omit<ConfigRequest, 'overrides'>): string | undefined {
  const named = request.file || request.environment['SWITCHYARD_CONFIG'];
  if (named) return resolve(named);
  const folders = [dirname(resolve(request.stateDirectory)), checkoutRoot];
  const found = folders.map((folder) => join(folder, 'switchyard.yaml')).find((file) => existsSync(file));
  if (found !== undefined) refuseForeign(found);
  return found;
}

/** What the configuration was, in 12 characters: the same options give the same digest, in whatever order. */
export function configDigest(config: Config): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(config)))
    .digest('hex')
    .slice(0, 12);
}

function contentOf(yaml: YamlFile): unknown {
  const data = yaml.data ?? {};
  // A section whose options are all commented out has no value: that means its defaults.
  if (isSection(data))
    for (const [name, value] of Object.entries(data)) if (value === null) delete data[name];
  resolvePaths(data, dirname(yaml.file));
  return data;
}

/** Fills in defaults and throws all problems, each with its place. */
function check(data: unknown, environment: Environment, place: YamlFile['place']): Config {
  fillMaxTokens(data);
  const bySchema = fillAndCheck(Config, data);
  const isBroken = (section: keyof Config) =>
    bySchema.some(({ path }) => path.length === 0 || path[0] === section);
  const problems = [...bySchema, ...crossProblems(data as Config, environment, isBroken)];
  if (problems.length > 0) throw new ConfigurationError(problems.map((problem) => sentence(problem, place)));
  return data as Config;
}

/** The one default that hangs on another option. */
function fillMaxTokens(data: unknown): void {
  const models = isSection(data) ? data['models'] : undefined;
  for (const model of isSection(models) ? Object.values(models) : [])
    if (isSection(model) && model['maxTokens'] === undefined && Number.isInteger(model['contextTokens']))
      model['maxTokens'] = standardMaxTokens(model['contextTokens'] as number);
}

function sentence({ path, what }: Problem, place: YamlFile['place']): string {
  const name = path.length === 0 ? '' : `${optionName(path)}: `;
  return `${place(path)} ${name}${what}`;
}

/** A file that was found, not named, may lie in a folder such as /tmp where others write. */
function refuseForeign(file: string): void {
  const owner = statSync(file).uid;
  if (!process.getuid || owner === process.getuid() || owner === 0) return;
  throw new ConfigurationError([
    `${file}: it belongs to another user; if you mean it, name it with --config ${file}`,
  ]);
}

/** Only what a role names may be scripted: a mesh never falls back to replies written beforehand by itself. */
function listModels(config: Config, environment: Environment): Config {
  const all = modelsByDefault(config, environment).map((model) => model.name);
  for (const role of Object.keys(config.roles) as AgentRole[])
    if (config.roles[role].models.length === 0) config.roles[role].models = [...all];
  return config;
}

function resolvePaths(data: unknown, folder: string): void {
  const absolute = (path: unknown) => {
    if (typeof path !== 'string' || path === '') return path;
    const full = resolve(folder, path.replace(/^~(?=\/|$)/, homedir()));
    return existsSync(full) ? realpathSync(full) : full;
  };
  const at = (value: unknown, ...path: Path) =>
    path.reduce<unknown>((found, step) => (isSection(found) ? found[step] : undefined), value);
  const mesh = at(data, 'mesh');
  if (isSection(mesh) && 'credentials' in mesh) mesh['credentials'] = absolute(mesh['credentials']);
  const tls = at(data, 'mesh', 'tls');
  for (const option of ['certificate', 'key'])
    if (isSection(tls) && option in tls) tls[option] = absolute(tls[option]);
  const allow = at(data, 'allow');
  if (isSection(allow) && Array.isArray(allow['repositories']))
    allow['repositories'] = allow['repositories'].map(absolute);
  const models = at(data, 'models');
  for (const model of isSection(models) ? Object.values(models) : [])
    for (const option of ['script', 'file', 'record'])
      if (isSection(model) && option in model) model[option] = absolute(model[option]);
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isSection(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}
