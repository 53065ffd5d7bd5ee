import { existsSync, statSync } from 'node:fs';
import type { Config } from './config.ts';
import { nearest, type Problem } from './problems.ts';
import type { Path } from './yaml-file.ts';

/** What the options say against each other or against the disk; the paths in `config` are absolute. */
export function crossProblems(config: Config): Problem[] {
  return [...meshProblems(config), ...modelProblems(config), ...namedModelProblems(config)];
}

function meshProblems({ mesh }: Config): Problem[] {
  const problems: Problem[] = [];
  const say = (option: string, what: string) => problems.push({ path: ['mesh', option], what });
  if (mesh.url === undefined) {
    if (mesh.credentials !== undefined)
      say('credentials', 'it is for `mesh.url`, which is not given; give that too or leave this out');
    return problems;
  }
  if (mesh.port !== undefined)
    say('port', 'it is for the server that `up` starts, and `mesh.url` names another; leave one of them out');
  if (mesh.credentials === undefined) return problems;
  if (!existsSync(mesh.credentials))
    say('credentials', `there is no file ${mesh.credentials}; create it or correct the path`);
  else if ((statSync(mesh.credentials).mode & 0o077) !== 0)
    say('credentials', `others may read ${mesh.credentials}; mend: chmod 600 ${mesh.credentials}`);
  return problems;
}

function modelProblems({ models }: Config): Problem[] {
  const problems: Problem[] = [];
  for (const [name, model] of Object.entries(models)) {
    const say = (option: string | undefined, what: string) =>
      problems.push({ path: ['models', name, ...(option === undefined ? [] : [option])], what });
    if (model.maxTokens >= model.contextTokens)
      say(
        'maxTokens',
        `a reply of ${model.maxTokens} tokens leaves no room in a context of ${model.contextTokens}; make it smaller than contextTokens`,
      );
    for (const option of ['file', 'slots', 'threads', 'gpuLayers', 'workers'] as const)
      if (model[option] !== undefined && model.backend !== 'llama')
        say(option, 'it is for the backend `llama` only; leave it out');
    if (model.backend === 'llama') {
      if (model.file === undefined) say(undefined, '"file" is missing; accepted: the path of a GGUF file');
      else if (!existsSync(model.file))
        say('file', `there is no file ${model.file}; fetch it or correct the path`);
      for (const option of ['url', 'apiKeyVariable'] as const)
        if (model[option] !== undefined) say(option, 'the backend `llama` asks no server; leave it out');
    }
    if (model.backend !== 'scripted') {
      if (model.script !== undefined) say('script', 'it is for the backend `scripted` only; leave it out');
      continue;
    }
    if (model.script === undefined)
      say(undefined, '"script" is missing; accepted: the path of a file of replies');
    else if (!existsSync(model.script))
      say('script', `there is no file ${model.script}; create it or correct the path`);
    for (const option of ['url', 'apiKeyVariable'] as const)
      if (model[option] !== undefined) say(option, 'the backend `scripted` asks no server; leave it out');
  }
  return problems;
}

function namedModelProblems({ models, roles, routes }: Config): Problem[] {
  const problems: Problem[] = [];
  const names = Object.keys(models);
  const check = (path: Path, asked: string[]) => {
    asked.forEach((name, place) => {
      if (Object.hasOwn(models, name)) return;
      const known = names.length === 0 ? 'none is defined under `models`' : names.join(', ');
      problems.push({
        path: [...path, place],
        what: `there is no model ${JSON.stringify(name)}; accepted: ${known}${nearest(name, names)}`,
      });
    });
  };
  for (const [role, preference] of Object.entries(roles)) check(['roles', role, 'models'], preference.models);
  routes.forEach((rule, place) => {
    check(['routes', place, 'models'], rule.models);
    const tags = rule.when.tags ?? [];
    const isBorne = rule.models.some((name) => tags.every((tag) => models[name]?.tags.includes(tag)));
    if (!isBorne && rule.models.every((name) => Object.hasOwn(models, name)))
      problems.push({
        path: ['routes', place, 'when', 'tags'],
        what: `none of this rule's models bears ${tags.join(' and ')}, so it never holds; add the tags under \`models\` or correct them`,
      });
    const earlier = routes.findIndex((other) => other.name === rule.name);
    if (earlier < place)
      problems.push({
        path: ['routes', place, 'name'],
        what: `the name ${JSON.stringify(rule.name)} is taken by an earlier rule; choose another`,
      });
  });
  return problems;
}
