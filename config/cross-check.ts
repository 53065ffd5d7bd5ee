import { existsSync, statSync } from 'node:fs';
import { roleTools } from '../schemas/tool-names.ts';
import type { Config } from './config.ts';
import { modelProblems } from './model-problems.ts';
import { nearest, type Problem } from './problems.ts';
import { roleProblems } from './role-problems.ts';
import type { Environment } from './state.ts';

/**
 * What the options say against each other or against the disk; the paths in `config` are absolute. Throws
 * ConfigurationError where a variable that a model's address comes from holds none.
 */
export function crossProblems(config: Config, environment: Environment): Problem[] {
  return [
    ...meshProblems(config),
    ...modelProblems(config),
    ...roleProblems(config, environment),
    ...toolProblems(config),
  ];
}

function meshProblems({ mesh }: Config): Problem[] {
  const problems: Problem[] = [];
  const say = (option: string, what: string) => problems.push({ path: ['mesh', option], what });
  if (mesh.url === undefined) {
    if (mesh.credentials !== undefined)
      say('credentials', 'it is for `mesh.url`, which is not given; give that too or leave this out');
    return problems;
  }
  for (const option of ['port', 'listen', 'tls', 'page'] as const)
    if (mesh[option] !== undefined)
      say(
        option,
        'it is for the server that `up` starts, and `mesh.url` names another; leave one of them out',
      );
  if (mesh.credentials === undefined) return problems;
  if (!existsSync(mesh.credentials))
    say('credentials', `there is no file ${mesh.credentials}; create it or correct the path`);
  else if ((statSync(mesh.credentials).mode & 0o077) !== 0)
    say('credentials', `others may read ${mesh.credentials}; mend: chmod 600 ${mesh.credentials}`);
  return problems;
}

/** A role's list is narrowed only: a tool that is not in it would be left out without a word. */
function toolProblems({ tools }: Config): Problem[] {
  return Object.entries(tools.perRole ?? {}).flatMap(([role, narrowed]) => {
    const own = roleTools[role as keyof typeof roleTools];
    return (narrowed?.tools ?? []).flatMap((tool, place) =>
      own.includes(tool)
        ? []
        : [
            {
              path: ['tools', 'perRole', role, 'tools', place],
              what: `the ${role} has no tool ${tool}, and this option only narrows; accepted: ${own.join(', ')}${nearest(tool, [...own])}`,
            },
          ],
    );
  });
}
