import { existsSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { roleTools } from '../schemas/tool-names.ts';
import type { Config } from './config.ts';
import { modelProblems } from './model-problems.ts';
import { nearest, type Problem } from './problems.ts';
import { roleProblems } from './role-problems.ts';
import type { Environment } from './state.ts';

/** What each check reads. */
const checks: [sections: (keyof Config)[], check: (config: Config, environment: Environment) => Problem[]][] =
  [
    [['mesh'], meshProblems],
    [['models'], modelProblems],
    [['models', 'roles', 'routes', 'mode'], roleProblems],
    [['tools'], toolProblems],
  ];

/**
 * What the options say against each other or against the disk; the paths in `config` are absolute. Of sections that are
 * not what they should be nothing is said, nor of what names them. Throws ConfigurationError where a variable that a
 * model's address comes from holds none.
 */
export function crossProblems(
  config: Config,
  environment: Environment,
  isBroken: (section: keyof Config) => boolean,
): Problem[] {
  return checks.flatMap(([sections, check]) => (sections.some(isBroken) ? [] : check(config, environment)));
}

type Say = (option: string, what: string) => void;

function meshProblems({ mesh }: Config): Problem[] {
  const problems: Problem[] = [];
  const say = (option: string, what: string) => problems.push({ path: ['mesh', ...option.split('.')], what });
  checkListening(mesh, say);
  if (mesh.url === undefined) {
    if (mesh.credentials !== undefined)
      say('credentials', 'it is for `mesh.url`, which is not given; give that too or leave this out');
    return problems;
  }
  if (!URL.canParse(mesh.url))
    say('url', 'this value (not shown) is no address; accepted: nats://HOST:PORT, the port up to 65535');
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

/** What the server that `up` starts would refuse, with its own words or none. */
function checkListening({ port, listen, tls, page }: Config['mesh'], say: Say): void {
  for (const option of ['certificate', 'key'] as const) {
    const file = tls?.[option];
    if (file !== undefined && (!existsSync(file) || !statSync(file).isFile()))
      say(`tls.${option}`, `there is no file ${file}; create it or correct the path`);
  }
  for (const [option, address] of [
    ['listen', listen],
    ['page.listen', page?.listen],
  ] as const)
    if (address !== undefined && isIP(address) === 0)
      say(option, `${address} is no address; accepted: such as 192.0.2.10, or 0.0.0.0 for all of them`);
  const ports = [
    ['port', port],
    ['page.port', page?.port],
    ['page.socketPort', page?.socketPort],
  ] as const;
  ports.forEach(([option, number], place) => {
    const [other] = ports.slice(0, place).find(([, one]) => one !== undefined && one === number) ?? [];
    if (other !== undefined)
      say(option, `${number} is also \`mesh.${other}\`; give each a port of its own, or leave one out`);
  });
}

/** A role's list is narrowed only: a tool that is not in it would be left out without a word. */
function toolProblems({ tools }: Config): Problem[] {
  return Object.entries(tools.perRole ?? {}).flatMap(([role, narrowed]) => {
    const own = roleTools[role as keyof typeof roleTools];
    // Who only looks may do so by what it is told; nobody changes files without a tool.
    if (narrowed?.tools.length === 0 && own.includes('edit-file'))
      return [
        {
          path: ['tools', 'perRole', role, 'tools'],
          what: `the list is empty, so that the ${role} could change nothing; accepted: some of ${own.join(', ')}`,
        },
      ];
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
