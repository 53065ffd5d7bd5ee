import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, extname, join, resolve } from 'node:path';
import { ConfigurationError } from './configuration-error.ts';

/** Variables of the process, as `process.env` has them. */
export type Environment = Record<string, string | undefined>;

/** The folder that Switchyard itself lies in; setup/programs.mjs puts what it builds three folders deeper. */
export const checkoutRoot = resolve(
  import.meta.dirname,
  extname(import.meta.filename) === '.ts' ? '..' : '../../..',
);

/**
 * The folder with all that a mesh keeps: `--state DIR`, else SWITCHYARD_STATE, else `.switchyard` in the checkout.
 * Absolute; relative ones are taken from the current folder. It is not created. Throws ConfigurationError where it is
 * no folder.
 */
export function resolveStateDirectory(request: {
  flag?: string | undefined;
  environment: Environment;
  currentDirectory?: string;
}): string {
  const asked = request.flag || request.environment['SWITCHYARD_STATE'];
  const directory = asked
    ? resolve(request.currentDirectory ?? process.cwd(), asked)
    : join(checkoutRoot, '.switchyard');
  if (isFile(directory))
    throw new ConfigurationError([
      `the state folder ${directory} cannot be used (it is no folder); choose another with --state DIR`,
    ]);
  return directory;
}

/** Also where one of the folders above is a file. */
function isFile(path: string): boolean {
  try {
    return !statSync(path).isDirectory();
  } catch (failure) {
    return (failure as NodeJS.ErrnoException).code === 'ENOTDIR';
  }
}

/** Has git offer nothing that lies beside it. */
const gitignore = '*\n';

/** Creates the state folder for its owner only, and keeps git from offering it. Throws ConfigurationError with the mend. */
export function createStateDirectory(stateDirectory: string): void {
  try {
    requireRoom(stateDirectory);
    mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
    if (isUsedOtherwise(stateDirectory))
      throw new ConfigurationError([
        `${stateDirectory} is used for something else; choose a folder of its own with --state DIR`,
      ]);
    const status = statSync(stateDirectory);
    // Whoever owns the folder could put other rules and keys into it.
    if (process.getuid && status.uid !== process.getuid())
      throw new ConfigurationError([
        `${stateDirectory} belongs to another user; choose another folder with --state DIR`,
      ]);
    // It holds private source and keys: a folder that was there before is closed, unless it is used for something else.
    if ((status.mode & 0o077) !== 0) {
      if (!isOurs(stateDirectory))
        throw new ConfigurationError([
          `${stateDirectory} holds other files and others may read it; choose a folder of its own with --state DIR`,
        ]);
      chmodSync(stateDirectory, 0o700);
    }
    writeFileSync(join(stateDirectory, '.gitignore'), gitignore, { mode: 0o600 });
  } catch (failure) {
    if (failure instanceof ConfigurationError) throw failure;
    throw new ConfigurationError([
      `the state folder ${stateDirectory} cannot be used (${(failure as Error).message}); mend that or choose another with --state DIR`,
    ]);
  }
}

/** Throws where a folder could not be made: in a file system such as /proc Node would try for ever. */
function requireRoom(folder: string): void {
  let above = folder;
  while (!existsSync(above)) above = dirname(above);
  accessSync(above, constants.W_OK);
  if (above !== folder && statfsSync(above).blocks === 0)
    throw new Error(`no folder can be made in ${above}`);
}

/** True for a home folder, and for one with files that git was told to leave alone: what we put there would be lost among them. */
function isUsedOtherwise(directory: string): boolean {
  const file = join(directory, '.gitignore');
  if (existsSync(file)) return readFileSync(file, 'utf8') !== gitignore;
  return realpathSync(directory) === realHome() && !isOurs(directory);
}

function realHome(): string | undefined {
  try {
    return realpathSync(homedir());
  } catch {
    return undefined;
  }
}

/** True for an empty folder and for one that a mesh has used before. */
function isOurs(directory: string): boolean {
  const names = readdirSync(directory);
  return names.length === 0 || names.includes('credentials') || names.includes('.gitignore');
}

/** What `up` says about the running mesh. */
export const meshFile = (stateDirectory: string) => join(stateDirectory, 'mesh.json');
/** What was allowed at run time, by `fix` or `up --repo`. */
export const allowedFile = (stateDirectory: string) => join(stateDirectory, 'allowed.yaml');
/** What `up` was told on its command line. */
export const overridesFile = (stateDirectory: string) => join(stateDirectory, 'overrides.json');
/** Held by the one `up` that uses the folder. */
export const lockFile = (stateDirectory: string, name: string) =>
  join(stateDirectory, 'locks', `${name}.lock`);
/** Logs, one file a process. */
export const logsDirectory = (stateDirectory: string) => join(stateDirectory, 'logs');
/** Repositories made for the demo. */
export const demoDirectory = (stateDirectory: string) => join(stateDirectory, 'demo');
/** What the observer keeps: the read model, which can be deleted, and the sessions of the page. */
export const observerDirectory = (stateDirectory: string) => join(stateDirectory, 'observer');
