import { spawn } from 'node:child_process';
import { delimiter, dirname } from 'node:path';
import { eventually } from '../yard-parts.ts';
import { blocksOf, pages } from './blocks.ts';
import { commandsOf } from './shell.ts';

const shells = pages.flatMap((page) => blocksOf(page)).filter(({ language }) => language === 'sh');
/** What our pages show people to type at the `nats` CLI, each once. */
export const recipes = [...new Set(shells.flatMap(commandsOf).filter((line) => line.startsWith('nats ')))];
/** The test commands that they name. */
export const recipeTests = [...new Set(recipes.flatMap((line) => /"test": "([^"]+)"/.exec(line)?.[1] ?? []))];
/** An id that a page shows, where one's own belongs. */
export const idInRecipe = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

const patienceMs = 20_000;

/** A line of a page that a shell runs as it stands. */
export interface Ran {
  /** What it has said so far, on both streams. */
  out(): string;
  /** Resolves when it has said this; rejects when it never does. */
  says(text: string): Promise<void>;
  kill(): void;
  /** Its exit code; -1 where it was killed. */
  ended: Promise<number>;
}

/** Gives a line of a page to a shell that finds this program on its PATH. */
export function runRecipe(
  line: string,
  how: { program: string; cwd: string; environment: Record<string, string | undefined> },
): Ran {
  const PATH = [dirname(how.program), how.environment['PATH']].join(delimiter);
  // In the shell's place, so that it is the program that is killed.
  const child = spawn('sh', ['-c', `exec ${line}`], {
    cwd: how.cwd,
    env: { ...how.environment, PWD: how.cwd, PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (out += text));
  return {
    out: () => out,
    says: async (text) =>
      void (await eventually(() => out.includes(text), `\`${line}\` to say ${text}`, patienceMs)),
    kill: () => void child.kill(),
    ended: new Promise((resolve) => child.once('close', (code) => resolve(code ?? -1))),
  };
}
