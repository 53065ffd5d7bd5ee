// Fetches llama.cpp for the gpu-worker: `node setup/gpu-worker.mjs`, for a graphics card with `--gpu cuda` or
// `--gpu vulkan`. Plain JavaScript, since it may run on the system's own Node (18 or newer).
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { explainNpmFailure } from './npm-failure.mjs';
import { holdSetUpLock } from './lock.mjs';

const root = dirname(dirname(realpathSync(fileURLToPath(import.meta.url))));
const room = join(root, 'gpu-worker');
const stampFile = join(room, 'node_modules', '.switchyard-setup.json');

/** The packages that hold llama.cpp itself, by platform and by what it computes on; sizes in MB on disk, measured. */
const binaries = {
  'linux-x64': {
    cpu: { packages: ['linux-x64'], megabytes: 85 },
    cuda: { packages: ['linux-x64-cuda', 'linux-x64-cuda-ext'], megabytes: 540 },
    vulkan: { packages: ['linux-x64-vulkan'], megabytes: 72 },
  },
  'linux-arm64': { cpu: { packages: ['linux-arm64'], megabytes: 85 } },
  'linux-arm': { cpu: { packages: ['linux-armv7l'], megabytes: 85 } },
  'darwin-arm64': { cpu: { packages: ['mac-arm64-metal'], megabytes: 85 } },
  'darwin-x64': { cpu: { packages: ['mac-x64'], megabytes: 85 } },
  'win32-x64': {
    cpu: { packages: ['win-x64'], megabytes: 85 },
    cuda: { packages: ['win-x64-cuda', 'win-x64-cuda-ext'], megabytes: 540 },
    vulkan: { packages: ['win-x64-vulkan'], megabytes: 72 },
  },
  'win32-arm64': { cpu: { packages: ['win-arm64'], megabytes: 85 } },
};

/** A message for a person, and the end. */
class SetUpError extends Error {}

function say(text) {
  process.stderr.write(`switchyard: ${text}\n`);
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

const digest = (text) => createHash('sha256').update(text).digest('hex');
const platform = `${process.platform}-${process.arch}`;

/** `cpu`, and what `--gpu` adds to what was added before. */
function kindsWanted(args) {
  const place = args.findIndex((arg) => arg === '--gpu' || arg.startsWith('--gpu='));
  const asked = place < 0 ? undefined : (args[place].split('=')[1] ?? args[place + 1]);
  const rest = args.filter(
    (_, index) => index !== place && !(args[place] === '--gpu' && index === place + 1),
  );
  const known = Object.keys(binaries[platform] ?? {}).filter((kind) => kind !== 'cpu');
  if (rest.length > 0 || (place >= 0 && !known.includes(asked))) {
    const choices = known.length === 0 ? 'none on this platform' : known.join(' or ');
    throw new SetUpError(
      `usage: node setup/gpu-worker.mjs [--gpu KIND]; kinds: ${choices}${rest.length > 0 ? ` (found ${rest.join(' ')})` : ''}`,
    );
  }
  const before = readJson(stampFile)?.kinds ?? [];
  return ['cpu', ...known.filter((kind) => kind === asked || before.includes(kind))];
}

function packagesOf(kinds) {
  const here = binaries[platform];
  const isMusl = process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime;
  if (!here || isMusl)
    throw new SetUpError(
      `there is no prebuilt llama.cpp for ${platform}${isMusl ? ' with musl' : ''}. Run the gpu-worker on another machine of the mesh, or serve the model with llama-server and name it as a model of the backend openai`,
    );
  return kinds.flatMap((kind) => here[kind].packages.map((name) => `@node-llama-cpp/${name}`));
}

function isInstalled(lockText, version, kinds) {
  const stamp = readJson(stampFile);
  if (stamp?.lock !== digest(lockText) || stamp.platform !== platform) return false;
  const wanted = ['node-llama-cpp', ...packagesOf(kinds)];
  return (
    kinds.every((kind) => stamp.kinds.includes(kind)) &&
    wanted.every((name) => readJson(join(room, 'node_modules', name, 'package.json'))?.version === version)
  );
}

/** Our own packages' programs come last: npm runs on the Node that it came with. */
function outerPath() {
  const own = join(root, 'node_modules', '.bin');
  const others = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== own);
  return [...others, own].join(delimiter);
}

/** Fetches exactly what package-lock.json names, without the binaries for other machines; no package runs a script. */
function runNpm(packages) {
  const args = ['install', '--no-save', '--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund'];
  args.push('--no-progress', '--loglevel=error', ...packages);
  return new Promise((resolve) => {
    const npm = spawn('npm', args, {
      cwd: room,
      env: { ...process.env, PATH: outerPath() },
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32',
    });
    let output = '';
    const keep = (chunk) => {
      output = `${output}${chunk}`.slice(-20_000);
    };
    npm.stdout.on('data', keep);
    npm.stderr.on('data', keep);
    const passOn = (signal) => npm.kill(signal);
    process.on('SIGINT', passOn).on('SIGTERM', passOn);
    npm.on('error', (failure) => resolve({ code: 1, output: String(failure) }));
    npm.on('close', (code, signal) => {
      process.off('SIGINT', passOn).off('SIGTERM', passOn);
      resolve({ code: code ?? 1, signal, output });
    });
  });
}

/** Undefined where llama.cpp loads for `kind`, else what it said. */
function tryLoading(kind) {
  const pinned = join(root, 'node_modules', '.bin', 'node');
  const program = existsSync(pinned) ? pinned : process.execPath;
  const tried = spawnSync(program, [join(room, 'loads.mjs'), kind], { cwd: room, encoding: 'utf8' });
  if (tried.status === 0) return undefined;
  const said = `${tried.stderr ?? ''}${tried.stdout ?? ''}`;
  if (kind !== 'cpu' && /NoBinaryFound/.test(said)) return 'no card or driver that it fits was found';
  const lines = said.split('\n').filter((line) => /error/i.test(line) && !/^\s*throw/.test(line));
  return lines[0]?.trim() || `exit code ${tried.status ?? tried.signal}`;
}

async function setUp() {
  const version = readJson(join(room, 'package.json')).dependencies['node-llama-cpp'];
  const lockText = readFileSync(join(room, 'package-lock.json'), 'utf8');
  const kinds = kindsWanted(process.argv.slice(2));
  if (isInstalled(lockText, version, kinds)) return;
  const release = await holdSetUpLock(join(root, '.switchyard', 'gpu-worker-setup'), say);
  try {
    if (isInstalled(lockText, version, kinds)) return;
    const megabytes = kinds.reduce((sum, kind) => sum + binaries[platform][kind].megabytes, 0);
    const more = kinds.length > 1 ? `, with ${kinds.slice(1).join(' and ')}` : '';
    say(
      `fetching llama.cpp ${version} for the gpu-worker${more} (about ${megabytes} MB on disk) from the npm registry`,
    );
    const startedAt = Date.now();
    const { code, signal, output } = await runNpm(packagesOf(kinds).map((name) => `${name}@${version}`));
    if (signal)
      throw Object.assign(new SetUpError(`interrupted by ${signal}; run this again`), { exitCode: 130 });
    if (code !== 0) throw new SetUpError(explainNpmFailure(output, code).replace('npm ci', 'npm install'));
    for (const kind of kinds) {
      const problem = tryLoading(kind);
      if (problem === undefined) continue;
      if (kind === 'cpu')
        throw new SetUpError(`llama.cpp was fetched, and does not load on this machine: ${problem}`);
      say(
        `llama.cpp for ${kind} was fetched, but does not load on this machine (${problem}); until it does, the gpu-worker computes on the processor`,
      );
    }
    writeFileSync(stampFile, `${JSON.stringify({ lock: digest(lockText), platform, kinds })}\n`);
    say(`llama.cpp is there, set up in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
  } finally {
    release();
  }
}

setUp().catch((failure) => {
  say(failure instanceof SetUpError ? failure.message : `the set-up failed: ${failure?.message ?? failure}`);
  process.exitCode = failure?.exitCode ?? 1;
});
