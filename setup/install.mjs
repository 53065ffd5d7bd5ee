// Sets Switchyard up: fetches its packages with `npm ci`, where they are missing or older than package-lock.json.
// Plain JavaScript, since it runs on the system's own Node (18 or newer) before anything else is there.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs, { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { explainNpmFailure } from './npm-failure.mjs';
import { holdSetUpLock } from './lock.mjs';

const root = dirname(dirname(realpathSync(fileURLToPath(import.meta.url))));
const stampFile = join(root, 'node_modules', '.switchyard-setup.json');

/** What the packages take once they are there, measured; a test compares it with the truth. */
export const installedMegabytes = 540;
/** What is downloaded for that, measured with an empty npm cache. */
const downloadedMegabytes = 220;
const oldestNode = 18;
const wantedNode = 24;

/** A message for a person, and the end. */
class SetUpError extends Error {}

function say(text) {
  process.stderr.write(`switchyard: ${text}\n`);
}

function lockDigest(text) {
  return createHash('sha256').update(text).digest('hex');
}

/** `glibc` or `musl` on Linux, else nothing: some packages come in both kinds. */
function libcHere() {
  if (process.platform !== 'linux') return undefined;
  return process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl';
}

/** The packages that npm would install on this machine, out of a lock file: path -> version. */
function packagesFor(lock, machine = { os: process.platform, cpu: process.arch, libc: libcHere() }) {
  const fits = (entry, kind) => {
    if (entry[kind] === undefined || machine[kind] === undefined) return true;
    const accepted = [entry[kind]].flat();
    const named = accepted.filter((one) => !one.startsWith('!'));
    return !accepted.includes(`!${machine[kind]}`) && (named.length === 0 || named.includes(machine[kind]));
  };
  const packages = new Map();
  for (const [path, entry] of Object.entries(lock.packages ?? {})) {
    if (path === '' || entry.link || !['os', 'cpu', 'libc'].every((kind) => fits(entry, kind))) continue;
    packages.set(path, { version: entry.version, isOptional: Boolean(entry.optional || entry.devOptional) });
  }
  return packages;
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** True when what is installed is what the lock file names, whoever installed it. */
function isInstalled(lockText) {
  const stamp = readJson(stampFile);
  if (stamp && stamp.lock === lockDigest(lockText) && stamp.platform === platformName()) return true;
  // npm writes its own list when an install has ended, but also when it only made a lock file: so it tells that an
  // install ended, and the packages themselves tell what is there.
  if (!existsSync(join(root, 'node_modules', '.package-lock.json'))) return false;
  for (const [path, { version, isOptional }] of packagesFor(JSON.parse(lockText))) {
    const found = readJson(join(root, path, 'package.json'));
    if (found ? found.version !== version : !isOptional) return false;
  }
  return true;
}

const platformName = () => `${process.platform}-${process.arch}`;

function writeStamp(lockText) {
  writeFileSync(stampFile, `${JSON.stringify({ lock: lockDigest(lockText), platform: platformName() })}\n`);
}

/** The PATH without our own packages, which npm is about to take away. */
function outerPath() {
  const own = join(root, 'node_modules', '.bin');
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => folder !== own)
    .join(delimiter);
}

function isThere(program, path) {
  const tried = spawnSync(program, ['--version'], {
    env: { ...process.env, PATH: path },
    stdio: 'ignore',
    shell: process.platform === 'win32',
  });
  return tried.status === 0;
}

function checkPrograms() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < oldestNode)
    throw new SetUpError(
      `Node.js ${process.versions.node} is too old; install Node.js 20 or newer, with npm`,
    );
  if (!isThere('git', process.env.PATH ?? ''))
    throw new SetUpError(
      'git is missing, and agents work in git repositories. Install it (on Debian and Ubuntu: sudo apt-get install git; on macOS: xcode-select --install), then run this again',
    );
}

function checkRoom() {
  // Older releases of Node 18 cannot tell.
  const disk = fs.statfsSync?.(root);
  if (!disk) return;
  const freeMegabytes = Math.floor((disk.bavail * disk.bsize) / 1_000_000);
  if (freeMegabytes < installedMegabytes)
    throw new SetUpError(
      `the disk that holds ${root} has ${freeMegabytes} MB free, and the packages take about ${installedMegabytes} MB. Make room, then run this again`,
    );
}

function npmPath() {
  const path = outerPath();
  if (isThere('npm', path)) return path;
  if (isThere('npm', process.env.PATH ?? '')) return process.env.PATH;
  throw new SetUpError(
    'npm is missing. Install Node.js 20 or newer with npm (on Debian and Ubuntu: sudo apt-get install nodejs npm), then run this again',
  );
}

/** Runs `npm ci` quietly; no package may run a script of its own. Resolves with its exit code and what it said. */
function runNpm(path) {
  const args = ['ci', '--ignore-scripts', '--include=dev', '--include=optional', '--no-audit', '--no-fund'];
  args.push('--no-progress', '--loglevel=error');
  return new Promise((resolve) => {
    const npm = spawn('npm', args, {
      cwd: root,
      env: { ...process.env, PATH: path },
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32',
    });
    let output = '';
    const keep = (chunk) => {
      output = `${output}${chunk}`.slice(-20_000);
    };
    npm.stdout.on('data', keep);
    npm.stderr.on('data', keep);
    // Ctrl-C goes to npm too; it ends first, and then so do we.
    const passOn = (signal) => npm.kill(signal);
    process.on('SIGINT', passOn).on('SIGTERM', passOn);
    npm.on('error', (failure) => resolve({ code: 1, output: String(failure) }));
    npm.on('close', (code, signal) => {
      process.off('SIGINT', passOn).off('SIGTERM', passOn);
      resolve({ code: code ?? 1, signal, output });
    });
  });
}

function checkNode() {
  const pinned = join(root, 'node_modules', '.bin', 'node');
  if (existsSync(pinned) && spawnSync(pinned, ['--version'], { stdio: 'ignore' }).status === 0) return;
  const major = Number(process.versions.node.split('.')[0]);
  if (major >= wantedNode) return;
  throw new SetUpError(
    `Switchyard runs on Node.js ${wantedNode} or newer; there is no build of it on npm for ${platformName()} that runs here, and this is ${process.versions.node}. Install Node.js ${wantedNode}, then run this again`,
  );
}

async function setUp() {
  checkPrograms();
  const lockText = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const release = await holdSetUpLock(join(root, '.switchyard', 'setup'), say);
  try {
    if (!isInstalled(lockText)) {
      const count = packagesFor(JSON.parse(lockText)).size;
      checkRoom();
      const path = npmPath();
      say(
        `fetching about ${count} packages (some ${downloadedMegabytes} MB, ${installedMegabytes} MB on disk) from the registry that npm is configured for`,
      );
      const startedAt = Date.now();
      const { code, signal, output } = await runNpm(path);
      if (signal)
        throw Object.assign(new SetUpError(`interrupted by ${signal}; run this again`), { exitCode: 130 });
      if (code !== 0) throw new SetUpError(explainNpmFailure(output, code));
      say(`set up in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
    }
    checkNode();
    writeStamp(lockText);
  } finally {
    release();
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === realpathSync(fileURLToPath(import.meta.url))) {
  setUp().catch((failure) => {
    say(
      failure instanceof SetUpError ? failure.message : `the set-up failed: ${failure?.message ?? failure}`,
    );
    process.exitCode = failure?.exitCode ?? 1;
  });
}
