import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const version = '1.106.2';
/** Resolves and fetches in parallel: seconds, where pip takes most of a minute. */
const installer = 'uv==0.9.10';
/**
 * What `litellm[proxy]` names but the gateway starts without: they are two fifths of what would be fetched. The marker
 * holds nowhere, which is how this installer is told to leave a package out.
 */
const leftOut = ['polars', 'granian', 'pyroscope-io', 'azure-identity', 'azure-storage-blob', 'inquirerpy'];

/** The `litellm` program, or why it cannot be had on this machine. */
export type Installed = { program: string } | { missing: string };

/**
 * A real LiteLLM in an environment of its own in the user's cache, out of the registry that this machine is configured
 * with; about 15 seconds and 400 MB the first time, nothing after that. Several at once do not disturb each other.
 */
export async function installLitellm(environment: NodeJS.ProcessEnv = process.env): Promise<Installed> {
  const python = await pythonOf();
  if ('missing' in python) return python;
  const cache = join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'switchyard');
  // Says where a whole one lies: it is written last, and never changed.
  const pointer = join(cache, `litellm-${version}-python-${python.version}`);
  const known = installedAt(pointer);
  if (known) return known;
  process.stderr.write(`installing LiteLLM ${version} below ${cache} for the tests, once\n`);
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(`${pointer}-`);
  try {
    await install(folder);
    writeFileSync(pointer, folder, { flag: 'wx' });
    return installedAt(pointer)!;
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    // Another run was faster, or what it wrote is of a folder that is gone.
    const others = installedAt(pointer);
    if (others) return others;
    rmSync(pointer, { force: true });
    return { missing: `LiteLLM ${version} could not be installed: ${lastWords(error)}` };
  }
}

function installedAt(pointer: string): Installed | undefined {
  if (!existsSync(pointer)) return undefined;
  const program = join(readFileSync(pointer, 'utf8'), 'bin', 'litellm');
  return existsSync(program) ? { program } : undefined;
}

async function pythonOf(): Promise<{ version: string } | { missing: string }> {
  const question = 'import sys, venv, ensurepip; print("%d.%d" % sys.version_info[:2])';
  try {
    const version = await run('python3', ['-c', question]);
    const [, minor] = version.split('.').map(Number);
    if (minor! >= 10 && minor! < 15) return { version };
    return { missing: `LiteLLM wants Python 3.10 to 3.14, and python3 is ${version}` };
  } catch (error) {
    return { missing: `there is no python3 with venv and pip (${lastWords(error)})` };
  }
}

async function install(folder: string): Promise<void> {
  await run('python3', ['-m', 'venv', folder]);
  const python = join(folder, 'bin', 'python');
  const pip = ['-m', 'pip', '--disable-pip-version-check'];
  await run(python, [...pip, 'install', '-q', '--only-binary', ':all:', installer]);
  const overrides = join(folder, 'left-out.txt');
  writeFileSync(overrides, leftOut.map((name) => `${name} ; python_version < '3'\n`).join(''));
  const wanted = ['--only-binary', ':all:', '--override', overrides, `litellm[proxy]==${version}`];
  await run(
    join(folder, 'bin', 'uv'),
    ['pip', 'install', '-q', '--no-cache', '--python', python, ...wanted],
    await registryOf(python, pip),
  );
}

/** What pip is configured with on this machine, in the words of the faster installer, which does not read that. */
async function registryOf(python: string, pip: string[]): Promise<NodeJS.ProcessEnv> {
  const listed = await run(python, [...pip, 'config', 'list']);
  const setting = (name: string) =>
    new RegExp(`^(?::env:|install|global)\\.${name}='(.*)'$`, 'm').exec(listed)?.[1];
  const named = {
    UV_DEFAULT_INDEX: setting('index-url'),
    UV_INDEX: setting('extra-index-url'),
    UV_FIND_LINKS: setting('find-links'),
    SSL_CERT_FILE: setting('cert'),
  };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
}

async function run(program: string, args: string[], more: NodeJS.ProcessEnv = {}): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, {
    env: { ...process.env, ...more },
    timeout: 240_000,
  });
  return stdout.trim();
}

function lastWords(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  return (stderr || message).trim().split('\n').at(-1)!.slice(0, 200);
}
