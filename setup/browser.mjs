// A Chromium for the dashboard's tests: `node setup/browser.mjs` says where one is, and fetches one from the package
// registry where the machine has none. Plain JavaScript, since it may run on the system's own Node (20 or newer).
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { explainNpmFailure } from './npm-failure.mjs';
import { holdSetUpLock } from './lock.mjs';

const root = dirname(dirname(realpathSync(fileURLToPath(import.meta.url))));
const room = join(root, 'tests', 'browser');
const modules = join(room, 'node_modules');
const unpacked = join(modules, '.unpacked');
const stampFile = join(modules, '.switchyard-setup.json');

/** Measured: the package as it is downloaded, and with what it unpacks. */
const downloadedMegabytes = 70;
const installedMegabytes = 290;

/** A message for a person, and the end. */
class SetUpError extends Error {}

const digest = (text) => createHash('sha256').update(text).digest('hex');

function say(text) {
  process.stderr.write(`switchyard: ${text}\n`);
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const places = [
  '/usr/bin/chromium',
  '/snap/bin/chromium',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** A Chromium that is on the machine: what SWITCHYARD_CHROMIUM names, else one on the PATH or in a usual place. */
export function installedBrowser(environment = process.env) {
  const named = environment.SWITCHYARD_CHROMIUM;
  if (named) {
    if (isProgram(named)) return { path: named, from: 'SWITCHYARD_CHROMIUM' };
    throw new SetUpError(`SWITCHYARD_CHROMIUM names ${named}, which is no program: correct it or unset it`);
  }
  const folders = (environment.PATH ?? '').split(delimiter).filter(Boolean);
  const found = [...folders.flatMap((folder) => names.map((name) => join(folder, name))), ...places].find(
    isProgram,
  );
  return found ? { path: found, from: 'the machine' } : undefined;
}

/** The one that was fetched earlier, if it is the one that the lock file names and still there. */
export function fetchedBrowser() {
  try {
    const stamp = JSON.parse(readFileSync(stampFile, 'utf8'));
    const lock = readFileSync(join(room, 'package-lock.json'), 'utf8');
    if (stamp.lock !== digest(lock) || !isProgram(stamp.path)) return undefined;
    return { path: stamp.path, from: 'the package registry' };
  } catch {
    return undefined;
  }
}

function runNpm() {
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--no-progress', '--loglevel=error'];
  return new Promise((resolve) => {
    const npm = spawn('npm', args, { cwd: room, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk) => {
      output = `${output}${chunk}`.slice(-20_000);
    };
    npm.stdout.on('data', keep);
    npm.stderr.on('data', keep);
    npm.on('error', (failure) => resolve({ code: 1, output: String(failure) }));
    npm.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

/** Unpacks the browser into a folder of its own rather than into the machine's temporary one. */
function unpack() {
  rmSync(unpacked, { recursive: true, force: true });
  mkdirSync(unpacked, { recursive: true });
  const script = 'import chromium from "@sparticuz/chromium"; console.log(await chromium.executablePath())';
  // The package asks for a newer Node than the one that this may run on.
  const own = join(root, 'node_modules', '.bin', 'node');
  const ran = spawnSync(existsSync(own) ? own : process.execPath, ['--input-type=module', '-e', script], {
    cwd: room,
    env: { ...process.env, TMPDIR: unpacked },
    encoding: 'utf8',
  });
  if (ran.status !== 0)
    throw new SetUpError(
      `the fetched Chromium cannot be unpacked: ${(ran.stderr || String(ran.error ?? '')).trim().split('\n').at(-1)}`,
    );
  return ran.stdout.trim();
}

async function fetchBrowser() {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new SetUpError(
      `no Chromium was found, and the one on the package registry is for Linux on x64, not ${process.platform} on ${process.arch}. Install Chromium, or name one with SWITCHYARD_CHROMIUM`,
    );
  const release = await holdSetUpLock(join(root, '.switchyard', 'setup-browser'), say);
  try {
    const known = fetchedBrowser();
    if (known) return known;
    say(
      `fetching a Chromium for the dashboard's tests (@sparticuz/chromium, ${downloadedMegabytes} MB to download, ${installedMegabytes} MB on disk in tests/browser/node_modules) from the registry that npm is configured for`,
    );
    const { code, output } = await runNpm();
    if (code !== 0) throw new SetUpError(explainNpmFailure(output, code));
    const path = unpack();
    const runs = spawnSync(path, ['--version'], { encoding: 'utf8' });
    if (runs.status !== 0)
      throw new SetUpError(
        `the fetched Chromium does not run here: ${(runs.stderr || String(runs.error ?? '')).trim().split('\n')[0]}. Install Chromium, or name one with SWITCHYARD_CHROMIUM`,
      );
    const lock = readFileSync(join(room, 'package-lock.json'), 'utf8');
    writeFileSync(stampFile, `${JSON.stringify({ lock: digest(lock), path })}\n`);
    return { path, from: 'the package registry' };
  } finally {
    release();
  }
}

/** Where a Chromium is; fetched where there is none. Throws with what mends it. */
export async function findBrowser() {
  return installedBrowser() ?? fetchedBrowser() ?? (await fetchBrowser());
}

if (
  process.argv[1] &&
  existsSync(process.argv[1]) &&
  realpathSync(process.argv[1]) === realpathSync(fileURLToPath(import.meta.url))
) {
  findBrowser().then(
    (browser) => process.stdout.write(`${JSON.stringify(browser)}\n`),
    (failure) => {
      say(failure instanceof SetUpError ? failure.message : `no browser: ${failure?.message ?? failure}`);
      process.exitCode = 1;
    },
  );
}
