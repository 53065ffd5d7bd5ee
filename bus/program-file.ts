import { extname, dirname, join } from 'node:path';

/** What setup/programs.mjs calls the file that it makes of a program: `agents/manager/main.ts` -> `agents.manager.main.mjs`. */
export const builtName = (source: string): string =>
  `${source.replace(/\.ts$/, '').replaceAll('/', '.')}.mjs`;

/** The file to start a program from, by its source's path below the checkout: beside this code, source or built as it is. */
export function programFile(source: string): string {
  return extname(import.meta.filename) === '.ts'
    ? join(dirname(import.meta.dirname), source)
    : join(import.meta.dirname, builtName(source));
}
