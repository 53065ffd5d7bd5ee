import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';

/** How a program is run: its own environment, a working folder, and a limit in milliseconds. */
export type RunOptions = {
  timeoutMs: number;
  cwd?: string;
  environment?: Record<string, string | undefined>;
};

/**
 * Runs a program without a shell and returns what it wrote to stdout.
 * Throws an Error with the last lines of stderr when it fails, or the limit when it ran past it.
 */
export function runProgram(file: string, args: string[], options: RunOptions): Promise<string> {
  const { timeoutMs, cwd, environment } = options;
  return new Promise((resolve, reject) => {
    execFile(
      file,
      args,
      {
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
        cwd,
        env: environment ?? process.env,
        maxBuffer: 64 << 20,
      },
      (failure, stdout, stderr) => {
        if (!failure) return resolve(stdout);
        if (failure.killed) return reject(new Error(`${file} took longer than ${timeoutMs / 1000} s`));
        const said = stderr.trim().split('\n').slice(-3).join('; ');
        reject(new Error(said || failure.message));
      },
    );
  });
}

/** Every executable file called `name` in the folders of `path` (a PATH variable), in its order. */
export async function findOnPath(name: string, path: string): Promise<string[]> {
  const found: string[] = [];
  for (const folder of path.split(':')) {
    if (!isAbsolute(folder)) continue;
    const file = join(folder, name);
    const isExecutable = await access(file, constants.X_OK).then(
      async () => (await stat(file)).isFile(),
      () => false,
    );
    if (isExecutable && !found.includes(file)) found.push(file);
  }
  return found;
}

/** The first executable `name` on `path`; throws an Error that names it when there is none. */
export async function requireOnPath(name: string, path: string): Promise<string> {
  const [first] = await findOnPath(name, path);
  if (first === undefined) throw new Error(`there is no ${name} on the PATH`);
  return first;
}
