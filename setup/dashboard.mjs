// Builds the dashboard's page, where it is not built or its sources have changed since: `node setup/dashboard.mjs`.
// It takes about a second; a page that is up to date is left alone.
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { digestOf } from './digest.mjs';
import { holdSetUpLock } from './lock.mjs';

const root = dirname(dirname(realpathSync(fileURLToPath(import.meta.url))));
const room = join(root, 'observability', 'dashboard');
const built = join(room, 'dist');
const digestFile = join(built, '.digest');
const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js');

/** Of all that a build may read: the room, what it shares with the terminal, the contract, and the packages. */
function digestOfSources() {
  const files = globSync(
    ['observability/dashboard/**/*', 'observability/*.ts', 'schemas/*.ts', 'package-lock.json'],
    {
      cwd: root,
      exclude: ['observability/dashboard/dist/**', '**/*.test.ts'],
      withFileTypes: true,
    },
  )
    .filter((entry) => entry.isFile() && !entry.parentPath.includes(join('dashboard', 'dist')))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
  return digestOf(root, files);
}

const isBuilt = (digest) => existsSync(digestFile) && readFileSync(digestFile, 'utf8') === digest;

async function build() {
  const digest = digestOfSources();
  if (isBuilt(digest)) return 0;
  // An image holds the page and not what builds it.
  if (!existsSync(vite))
    return existsSync(join(built, 'index.html')) ? 0 : fail('vite is not installed: run npm ci');
  const release = await holdSetUpLock(join(root, '.switchyard', 'dashboard'), () => {});
  try {
    if (isBuilt(digest)) return 0;
    const fresh = `${built}.new`;
    const { status, stderr, stdout, error } = spawnSync(
      process.execPath,
      [vite, 'build', room, '--config', join(room, 'vite.config.ts'), '--outDir', fresh, '--emptyOutDir'],
      // Whoever builds it, a test with a NODE_ENV of its own too: the page is the one that is given out.
      { cwd: root, encoding: 'utf8', env: { ...process.env, NODE_ENV: 'production' } },
    );
    if (status !== 0) return fail(`${stderr ?? ''}${stdout ?? ''}${error?.message ?? ''}`.trim());
    writeFileSync(join(fresh, '.digest'), digest);
    // Whole or not at all: a browser may ask for it at any moment.
    rmSync(built, { recursive: true, force: true });
    renameSync(fresh, built);
    return 0;
  } finally {
    release();
  }
}

function fail(why) {
  process.stderr.write(`switchyard: the dashboard's page could not be built: ${why}\n`);
  return 1;
}

process.exitCode = await build();
