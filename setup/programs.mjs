// Builds the programs, where they are not built or their sources have changed since: `node setup/programs.mjs`. Each is
// one file with all that it imports, instead of a thousand that Node would find and read one by one: it starts in a
// quarter of the time. That takes about two seconds; a build that is up to date is left alone.
import { spawnSync } from 'node:child_process';
import fs, { existsSync, globSync, readlinkSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { digestOf } from './digest.mjs';
import { holdSetUpLock } from './lock.mjs';

const root = dirname(dirname(realpathSync(fileURLToPath(import.meta.url))));
const rooms = '{agents,bus,cli,config,gpu-worker,inference,observability,replay,router,schemas,tools}';
const exclude = ['**/node_modules/**', 'observability/dashboard/**', '**/*.test.ts'];
/** What is started, not imported. */
const started = [
  `${rooms}/**/main.ts`,
  'bus/lease-worker.ts',
  'gpu-worker/ask.ts',
  'observability/telemetry.ts',
];
/**
 * Not taken in: ripgrep, which looks for a file beside its own; what exports over gRPC, half of which would ask for the
 * other half as a package; and llama.cpp, which is fetched later, if ever.
 */
const external = [
  '@vscode/ripgrep',
  /^@opentelemetry\/exporter-\w+-otlp-grpc$/,
  'node-llama-cpp',
  '@huggingface/jinja',
];

const builds = join(root, 'node_modules', '.switchyard');
/** The build to start from; each lies in a folder of its own, so that who runs goes on with the one it was started from. */
const current = join(builds, 'current');
/** When the build was last found to be up to date: what is newer than this asks for a look. */
const stamp = (build) => join(builds, build, '.looked');

const find = (globs) => globSync(globs, { cwd: root, exclude }).toSorted();

const digestOfSources = () =>
  digestOf(root, [...find(`${rooms}/**/*.ts`), 'package-lock.json', 'setup/programs.mjs']);

/** The bundler; undefined where it is not installed or has no build for this system: the programs then run from their sources. */
async function bundler() {
  try {
    return (await import('rolldown')).rolldown;
  } catch {
    return undefined;
  }
}

/** `agents/manager/main.ts` -> `agents.manager.main`: bus/program-file.ts finds it by that name. */
const nameOf = (source) => source.replace(/\.ts$/, '').replaceAll('/', '.');

async function bundle(rolldown, folder) {
  const made = await rolldown({
    cwd: root,
    input: Object.fromEntries(find(started).map((source) => [nameOf(source), source])),
    external,
    platform: 'node',
    // What a module does when it is the program (to write a page of the docs) is not for the program it became part of.
    transform: { define: { 'import.meta.main': 'false' } },
    logLevel: 'silent',
  });
  await made.write({
    dir: folder,
    format: 'esm',
    entryFileNames: '[name].mjs',
    chunkFileNames: '[name]-[hash].mjs',
  });
  await made.close();
  // Where the gpu-worker's own packages are looked for.
  fs.symlinkSync(join('..', '..', '..', 'gpu-worker', 'node_modules'), join(folder, 'node_modules'));
}

function currentBuild() {
  try {
    return readlinkSync(current);
  } catch {
    return undefined;
  }
}

/** Points `current` to a build, in one step. */
function use(build) {
  const fresh = `${current}.new`;
  rmSync(fresh, { force: true });
  fs.symlinkSync(build, fresh);
  renameSync(fresh, current);
  fs.writeFileSync(stamp(build), '');
}

/** Removes the builds that no process runs from. Where the system does not tell what runs, they stay. */
function removeOld() {
  const { status, stdout } = spawnSync('ps', ['-A', '-ww', '-o', 'args='], {
    encoding: 'utf8',
    maxBuffer: 64e6,
  });
  if (status !== 0) return;
  for (const name of fs.readdirSync(builds))
    if (!name.startsWith('current') && name !== currentBuild() && !stdout.includes(name))
      rmSync(join(builds, name), { recursive: true, force: true });
}

async function build() {
  const digest = digestOfSources();
  if (currentBuild() === digest && existsSync(join(builds, digest)))
    return fs.writeFileSync(stamp(digest), '');
  const rolldown = await bundler();
  const release = await holdSetUpLock(join(root, '.switchyard', 'programs'), () => {});
  try {
    if (!rolldown) return rmSync(current, { force: true });
    const folder = join(builds, digest);
    if (!existsSync(folder)) {
      process.stderr.write('switchyard: building the programs out of their sources\n');
      const fresh = `${folder}.new`;
      rmSync(fresh, { recursive: true, force: true });
      await bundle(rolldown, fresh);
      renameSync(fresh, folder);
    }
    use(digest);
    removeOld();
  } finally {
    release();
  }
}

try {
  await build();
} catch (failure) {
  process.stderr.write(`switchyard: the programs could not be built: ${failure?.message ?? failure}\n`);
  process.exitCode = 1;
}
