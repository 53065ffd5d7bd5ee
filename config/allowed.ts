import { existsSync, realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import Type, { type Static } from 'typebox';
import { stringify } from 'yaml';
import { ConfigurationError } from './configuration-error.ts';
import { fillAndCheck, optionName } from './problems.ts';
import { writePrivateFile } from './private-file.ts';
import { allowedFile } from './state.ts';
import { holdingLock } from './state-lock.ts';
import { readYamlFile } from './yaml-file.ts';

const texts = () => Type.Array(Type.String({ minLength: 1 }), { default: [] });

/** What the operator allowed at run time, by naming it in `fix` or `up`. */
export const Allowed = Type.Object(
  { repositories: texts(), tests: texts(), setups: texts() },
  { additionalProperties: false },
);
export type Allowed = Static<typeof Allowed>;

const heading =
  '# What you allowed by naming it in `switchyard fix` or `switchyard up --repo`. To forbid it again: switchyard config allowed --remove WHAT.\n';

/**
 * Adds to what is allowed on this state folder, at once for every process of the mesh that looks; returns all of it.
 * A repository is remembered by its real path. Throws ConfigurationError when it is no folder.
 */
export function allowInState(
  stateDirectory: string,
  more: { repository?: string | undefined; test?: string | undefined; setup?: string | undefined },
): Allowed {
  const repository = more.repository === undefined ? undefined : realFolder(more.repository);
  return change(stateDirectory, (before) => ({
    repositories: added(before.repositories, repository),
    tests: added(before.tests, more.test),
    setups: added(before.setups, more.setup),
  }));
}

/** Takes back what was allowed at run time, at once for every process of the mesh that looks; returns what is left. */
export function forbidInState(stateDirectory: string, less: Allowed): Allowed {
  return change(stateDirectory, (before) => without(before, less));
}

/** What is in the first and not in the second. */
export function without(all: Allowed, less: Allowed): Allowed {
  return {
    repositories: all.repositories.filter((one) => !less.repositories.includes(one)),
    tests: all.tests.filter((one) => !less.tests.includes(one)),
    setups: all.setups.filter((one) => !less.setups.includes(one)),
  };
}

function change(stateDirectory: string, to: (before: Allowed) => Allowed): Allowed {
  return holdingLock(stateDirectory, 'allowed', () => {
    const before = readAllowed(stateDirectory);
    const after = to(before);
    if (JSON.stringify(after) !== JSON.stringify(before))
      writePrivateFile(allowedFile(stateDirectory), `${heading}${stringify(after)}`);
    return after;
  });
}

/** What was allowed so far; it may have grown since the configuration was loaded. Throws ConfigurationError. */
export function readAllowed(stateDirectory: string): Allowed {
  const file = allowedFile(stateDirectory);
  if (!existsSync(file)) return { repositories: [], tests: [], setups: [] };
  const yaml = readYamlFile(file);
  const data = yaml.data ?? {};
  const problems = fillAndCheck(Allowed, data);
  if (problems.length > 0)
    throw new ConfigurationError(
      problems.map(({ path, what }) => `${yaml.place(path)} ${optionName(path)}: ${what}`),
    );
  return data as Allowed;
}

function added(list: string[], item: string | undefined): string[] {
  return item === undefined || list.includes(item) ? list : [...list, item];
}

function realFolder(path: string): string {
  try {
    const real = realpathSync(resolve(path));
    if (!statSync(real).isDirectory())
      throw new ConfigurationError([`${path} is no folder; name the repository's folder`]);
    return real;
  } catch (failure) {
    if (failure instanceof ConfigurationError) throw failure;
    throw new ConfigurationError([
      `${path} cannot be read (${(failure as Error).message}); name the repository's folder`,
    ]);
  }
}
