import { globSync, statSync } from 'node:fs';
import { join } from 'node:path';
import picomatch from 'picomatch';
import { root, textOf } from '../tree.ts';

export interface Instruction {
  line: number;
  name: string;
  /** `--from=page` and the like. */
  flags: Record<string, string>;
  text: string;
}

export interface Stage {
  name: string;
  from: string;
  instructions: Instruction[];
}

/** Reads a Dockerfile into its stages: comments go, continued lines are joined. */
export function stagesOf(text: string): Stage[] {
  const stages: Stage[] = [];
  let pending: { line: number; text: string } | undefined;
  for (const [index, raw] of text.split('\n').entries()) {
    if (/^\s*(#|$)/.test(raw)) continue;
    pending = { line: pending?.line ?? index + 1, text: `${pending?.text ?? ''} ${raw.trim()}` };
    if (pending.text.endsWith('\\')) {
      pending.text = pending.text.slice(0, -1);
      continue;
    }
    const instruction = instructionOf(pending.text.trim(), pending.line);
    pending = undefined;
    if (instruction.name === 'FROM') {
      const [, from, name] = /^(\S+)(?:\s+AS\s+(\S+))?$/i.exec(instruction.text) ?? [];
      stages.push({ name: name ?? '', from: from ?? '', instructions: [] });
    } else stages.at(-1)?.instructions.push(instruction);
  }
  return stages;
}

function instructionOf(text: string, line: number): Instruction {
  const words = text.split(/\s+/);
  const name = words.shift()!.toUpperCase();
  const flags: Record<string, string> = {};
  while (words[0]?.startsWith('--') && (name === 'COPY' || name === 'FROM')) {
    const [flag, value = ''] = words.shift()!.slice(2).split('=');
    flags[flag!] = value;
  }
  return { line, name, flags, text: words.join(' ') };
}

const secretName = /(PASSWORD|SECRET|TOKEN|API_?KEY|CREDENTIAL)/i;

/** What is wrong with a Dockerfile; empty = nothing. `given`: build contexts that are named from outside. */
export function dockerfileProblems(path: string, text: string, given: string[] = []): string[] {
  const stages = stagesOf(text);
  const problems: string[] = [];
  if (!/^# syntax=docker\/dockerfile:1$/m.test(text)) problems.push(`${path}: no syntax line`);
  const known = new Set(given);
  for (const stage of stages) {
    if (!known.has(stage.from) && !/^[\w./-]+:[\w.-]*\d[\w.-]*$/.test(stage.from))
      problems.push(`${path}: ${stage.from} is not pinned by a tag with a version`);
    for (const one of stage.instructions) {
      const say = (what: string) => problems.push(`${path}:${one.line} ${what}`);
      if (one.name === 'ADD') say('ADD fetches and unpacks: use COPY');
      if (one.name === 'MAINTAINER') say('MAINTAINER is gone');
      if (one.name === 'WORKDIR' && !one.text.startsWith('/')) say('WORKDIR is not absolute');
      if (['ARG', 'ENV'].includes(one.name) && secretName.test(one.text))
        say('a secret has no place in an image');
      if (['CMD', 'ENTRYPOINT'].includes(one.name) && !isWordList(one.text))
        say('a shell would get the signals');
      if (one.name === 'COPY') problems.push(...copyProblems(path, one, known));
      if (one.name === 'RUN') {
        if (/\bsudo\b|curl [^|]*\|\s*(ba)?sh/.test(one.text)) say('runs what nobody has seen');
        if (/apt-get install/.test(one.text)) {
          if (!/--no-install-recommends/.test(one.text)) say('installs what is only recommended');
          if (!/apt-get update/.test(one.text)) say('installs from lists of another layer');
          if (!/rm -rf \/var\/lib\/apt\/lists/.test(one.text)) say('leaves package lists behind');
        }
        if (/\bnpm (ci|install)\b/.test(one.text) && !/npm ci --ignore-scripts/.test(one.text))
          say('npm ci --ignore-scripts installs what the lock file names, and runs nothing of it');
      }
    }
    if (stage.name !== '') known.add(stage.name);
  }
  const users = stages.at(-1)?.instructions.filter((one) => one.name === 'USER') ?? [];
  if (users.length === 0 || /^(root|0)(:|$)/.test(users.at(-1)!.text))
    problems.push(`${path}: what it makes runs as root`);
  return problems;
}

function isWordList(text: string): boolean {
  try {
    const words: unknown = JSON.parse(text);
    return Array.isArray(words) && words.every((word) => typeof word === 'string');
  } catch {
    return false;
  }
}

function copyProblems(path: string, one: Instruction, known: Set<string>): string[] {
  const { from } = one.flags;
  if (from !== undefined) return known.has(from) ? [] : [`${path}:${one.line} there is no stage ${from}`];
  return copiedBy(one).flatMap((source) =>
    isLetIn(source) ? [] : [`${path}:${one.line} ${source} is not there, or .dockerignore keeps it out`],
  );
}

/** The sources of a COPY without `--from`. */
const copiedBy = (one: Instruction): string[] => one.text.split(' ').slice(0, -1);

/** Every file that a stage copies out of the build context, from its root, with the folder that it gets into. */
export function filesCopied(stage: Stage): string[] {
  const sources = stage.instructions
    .filter((one) => one.name === 'COPY' && one.flags['from'] === undefined)
    .flatMap(copiedBy);
  return sources.flatMap((source) =>
    statSync(join(root, source)).isDirectory()
      ? globSync(`${source}/**/*`, {
          cwd: root,
          exclude: (name) => /(^|\/)(node_modules|dist)$/.test(name),
        }).filter((file) => statSync(join(root, file)).isFile() && isLetIn(file))
      : [source],
  );
}

const rules = textOf('.dockerignore')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => {
    const glob = line.replace(/^!/, '');
    return { isLetIn: line.startsWith('!'), fits: picomatch([glob, `${glob}/**`], { dot: true }) };
  });

/** Whether a path is in the build context: there, and the last rule that fits lets it in. */
export function isLetIn(path: string): boolean {
  if (statSync(join(root, path), { throwIfNoEntry: false }) === undefined) return false;
  return rules.findLast((rule) => rule.fits(path))?.isLetIn ?? true;
}
