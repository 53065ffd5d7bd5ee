import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

const root = dirname(import.meta.dirname);
export const pinnedNode = process.execPath;

/** What a program came to. */
export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** The PATH without the packages of this checkout: what a person's shell has. */
export const systemPath = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter((folder) => !folder.includes('node_modules'))
  .join(delimiter);

/** A checkout of its own with the real launcher and set-up, one small package, and a command that tells how it ran. */
export function makeCheckout(): string {
  const checkout = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard checkout #1 50% ')));
  cpSync(join(root, 'switchyard'), join(checkout, 'switchyard'));
  mkdirSync(join(checkout, 'setup'));
  for (const file of ['digest.mjs', 'install.mjs', 'lock.mjs', 'npm-failure.mjs', 'programs.mjs'])
    cpSync(join(root, 'setup', file), join(checkout, 'setup', file));
  mkdirSync(join(checkout, 'cli'));
  writeFileSync(
    join(checkout, 'cli', 'main.ts'),
    `const told: object = { node: process.version, args: process.argv.slice(2), at: process.cwd(), env: process.env, telemetry: (globalThis as { telemetry?: boolean }).telemetry };
if (process.env['TEST_HOLD']) process.once('SIGTERM', () => process.exit(9)) && setTimeout(() => {}, 60_000);
process.stdout.write(JSON.stringify(told));
process.exitCode = Number(process.env['TEST_EXIT'] ?? 0);\n`,
  );
  return checkout;
}

/** Gives a checkout one dependency, a tarball that npm needs no network for, with the lock file that npm makes. */
export function addPackages(checkout: string, version = '1.0.0'): void {
  cpSync(packagesOf(version), checkout, { recursive: true });
}

/** By version: npm takes seconds to make it, and every checkout gets the same. */
const made = new Map<string, string>();

function packagesOf(version: string): string {
  const known = made.get(version);
  if (known) return known;
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-packages-'));
  made.set(version, folder);
  const source = join(folder, 'small');
  mkdirSync(source);
  // Would it run, a package's script could do anything before a person has looked.
  const scripts = { install: 'touch ../../install-script-ran' };
  writeFileSync(join(source, 'package.json'), JSON.stringify({ name: 'small', version, scripts }));
  const options = { cwd: folder, env: { ...process.env, PATH: systemPath }, stdio: 'ignore' } as const;
  execFileSync('npm', ['pack', './small', '--silent', '--ignore-scripts'], options);
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({
      name: 'checkout',
      version: '1.0.0',
      dependencies: { small: `file:small-${version}.tgz` },
    }),
  );
  execFileSync('npm', ['install', '--package-lock-only', '--offline', '--ignore-scripts'], options);
  return folder;
}

/** Makes a checkout look set up, on the Node that runs the tests, with the bundler. */
export function pretendSetUp(checkout: string): void {
  mkdirSync(join(checkout, 'node_modules', '.bin'), { recursive: true });
  symlinkSync(pinnedNode, join(checkout, 'node_modules', '.bin', 'node'));
  for (const name of ['rolldown', '@rolldown', '@oxc-project'])
    symlinkSync(join(root, 'node_modules', name), join(checkout, 'node_modules', name));
  writeFileSync(join(checkout, 'package-lock.json'), '{}');
  writeFileSync(join(checkout, 'node_modules', '.switchyard-setup.json'), '{}');
}

/** A folder that holds these programs of the system and no other, to be a PATH. */
export function pathWith(folder: string, names: string[], more: Record<string, string> = {}): string {
  mkdirSync(folder, { recursive: true });
  for (const name of names) {
    const found = systemPath.split(delimiter).map((one) => join(one, name));
    const file = found.find((one) => canRead(one));
    if (file) symlinkSync(file, join(folder, name));
  }
  for (const [name, script] of Object.entries(more)) {
    writeFileSync(join(folder, name), script);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

function canRead(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch {
    return false;
  }
}

/** Runs a program to its end. */
export function run(
  program: string,
  args: string[],
  options: { cwd?: string; env?: Record<string, string | undefined> } = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { PATH: systemPath, HOME: process.env['HOME'], ...options.env },
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += String(chunk)));
    child.stderr.on('data', (chunk: Buffer) => (stderr += String(chunk)));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}
