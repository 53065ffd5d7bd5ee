import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The checkout's root. */
export const root = join(import.meta.dirname, '..');

const foreign =
  /(^|\/)(node_modules|\.switchyard|\.git|coverage)(\/|$)|^(docs\/examples|observability\/dashboard\/dist)(\/|$)/;

/** Paths of our own files that fit a glob, from the root, in order. Nothing fetched, generated or of an example. */
export function ownFiles(...globs: string[]): string[] {
  const isForeign = (path: string) => foreign.test(path);
  // What a glob's last part names, such as the `.git` file of a linked worktree, is not asked about by `exclude`.
  return globSync(globs, { cwd: root, exclude: isForeign })
    .filter((path) => !isForeign(path))
    .sort();
}

export const textOf = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Every source file of ours. */
export const sourceFiles = (): string[] => ownFiles('**/*.{ts,tsx,mts,mjs,js}');
