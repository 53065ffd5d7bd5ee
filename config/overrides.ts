import { readFileSync } from 'node:fs';
import type { AgentRole } from '../schemas/row.ts';
import type { AllowOptions } from './allow-options.ts';
import type { Config } from './config.ts';
import { ConfigurationError } from './configuration-error.ts';
import type { ModelDefinition, ModelOptions } from './model-options.ts';
import { writePrivateFile } from './private-file.ts';
import { overridesFile } from './state.ts';

/** What the command line says over the file, in the file's own shape. What is not given stays as it is. */
export interface Overrides {
  /** Of the file only how the mesh and its logging are set up and what is allowed holds; all else is as by default. */
  onlyMesh?: true;
  mesh?: Partial<Config['mesh']>;
  processes?: Partial<Config['processes']>;
  /** Added to what is allowed, never taken away. */
  allow?: Partial<AllowOptions>;
  limits?: Partial<Config['limits']>;
  /** Added to the models, or in place of the one of that name. */
  models?: Record<string, Partial<ModelOptions>>;
  /** The models of a role, the preferred one first. */
  roles?: Partial<Record<AgentRole, string[]>>;
  /** In place of all rules. */
  routes?: Config['routes'];
  tools?: Partial<Config['tools']>;
  log?: Partial<Config['log']>;
}

/** Every role asks this one model, whatever the file's roles and routes say: what `--model` means. */
export function useModel(definition: Omit<ModelDefinition, 'backend'> & { backend: string }): Overrides {
  const { name, ...options } = definition;
  return {
    // A backend that there is not is found when the whole is checked.
    models: { [name]: options as Partial<ModelOptions> },
    roles: { planner: [name], coder: [name], tester: [name], reviewer: [name] },
    routes: [],
  };
}

/**
 * Keeps what `up` was started with in the state folder, so that every process of the mesh, also one that joins
 * later from another terminal, has the same configuration. `up` calls it at each start, also with `{}`.
 */
export function keepOverrides(stateDirectory: string, overrides: Overrides): void {
  writePrivateFile(overridesFile(stateDirectory), `${JSON.stringify(overrides, null, 2)}\n`);
}

/** What was kept, or `{}`. Throws ConfigurationError when the file is damaged. */
export function keptOverrides(stateDirectory: string): Overrides {
  const file = overridesFile(stateDirectory);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new ConfigurationError([`${file}: ${(failure as Error).message}`]);
  }
  try {
    return JSON.parse(text) as Overrides;
  } catch {
    throw new ConfigurationError([`${file}: it is damaged; delete it and run \`./switchyard up\` again`]);
  }
}

/** The configuration with the overrides over it; neither is changed. The result has yet to be checked. */
export function override(config: Config, overrides: Overrides): Config {
  const { allow, roles, routes } = overrides;
  const merged: Config = {
    ...config,
    mesh: { ...config.mesh, ...overrides.mesh },
    processes: { ...config.processes, ...overrides.processes },
    limits: { ...config.limits, ...overrides.limits },
    models: { ...config.models, ...(overrides.models as Config['models']) },
    tools: { ...config.tools, ...overrides.tools },
    log: { ...config.log, ...overrides.log },
    roles: { ...config.roles },
    routes: routes ?? config.routes,
    allow: {
      repositories: union(config.allow.repositories, allow?.repositories),
      tests: union(config.allow.tests, allow?.tests),
      setups: union(config.allow.setups, allow?.setups),
      programs: [...config.allow.programs, ...(allow?.programs ?? [])],
    },
  };
  for (const role of Object.keys(roles ?? {}) as AgentRole[])
    merged.roles[role] = { ...config.roles[role], models: roles?.[role] ?? [] };
  return structuredClone(merged);
}

const union = (one: string[], other: string[] = []) => [...new Set([...one, ...other])];
