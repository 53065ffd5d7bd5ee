import { mkdir, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { runProgram } from '../bus/program.ts';
import type { Config } from '../config/config.ts';
import type { MeshFile } from '../config/mesh-file.ts';
import { missing, ok, reasonOf, warning, type Checked } from './checked.ts';

const oldestNode = 24;
/** From this on git leaves no trace of a fetch in the user's repository. */
const oldestGit = [2, 29] as const;
const leastFreeBytes = 32 * 1024 * 1024;
const comfortableBytes = 1024 * 1024 * 1024;

/** The Node.js that runs this. */
export function checkNode(version: string): Checked {
  const major = Number(version.split('.')[0]);
  return major >= oldestNode
    ? ok('Node.js', version)
    : missing(
        'Node.js',
        `${version}, and ${oldestNode} or newer is needed`,
        './switchyard uses the pinned one: npm ci',
      );
}

export async function checkGit(): Promise<Checked> {
  try {
    const answer = (await runProgram('git', ['--version'], { timeoutMs: 5000 })).trim();
    const [major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(answer)?.slice(1) ?? []).map(Number);
    const isOld = major < oldestGit[0] || (major === oldestGit[0] && minor < oldestGit[1]);
    return isOld
      ? missing('git', `${answer}, and ${oldestGit.join('.')} or newer is needed`, 'install a newer git')
      : ok('git', answer.replace('git version ', ''));
  } catch (error) {
    return missing('git', reasonOf(error), 'sudo apt-get install git');
  }
}

/** Needed to set Switchyard up, and by the tests of many repositories. */
export async function checkNpm(): Promise<Checked> {
  try {
    return ok('npm', (await runProgram('npm', ['--version'], { timeoutMs: 15_000 })).trim());
  } catch (error) {
    return warning('npm', reasonOf(error), 'sudo apt-get install npm; it sets Switchyard up');
  }
}

/** Room on the disk of the state folder, and whether it can be written. Leaves nothing behind. */
export async function checkDisk(stateDirectory: string): Promise<Checked[]> {
  const folder = await nearestFolder(stateDirectory);
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  const text = `${(free / 1_073_741_824).toFixed(1)} GiB free at ${folder}`;
  const mend = 'free some space, or choose another folder with --state DIR';
  const space =
    free < leastFreeBytes
      ? missing('disk', text, mend)
      : free < comfortableBytes
        ? warning('disk', text, mend)
        : ok('disk', text);
  return [space, await checkWritable(stateDirectory, folder)];
}

async function checkWritable(stateDirectory: string, folder: string): Promise<Checked> {
  const probe = join(folder, `.switchyard-${randomUUID()}`);
  try {
    await mkdir(probe);
    await writeFile(join(probe, 'probe'), 'probe');
    const isThere = folder === stateDirectory;
    return ok(
      'state',
      isThere ? `${stateDirectory} can be written` : `${stateDirectory} is not there yet and can be made`,
    );
  } catch (error) {
    return missing(
      'state',
      `${folder} cannot be written: ${reasonOf(error)}`,
      'mend its permissions, or choose another folder with --state DIR',
    );
  } finally {
    await rm(probe, { recursive: true, force: true }).catch(() => {});
  }
}

async function nearestFolder(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() || dirname(path) === path ? path : nearestFolder(dirname(path));
}

/** Every port of the mesh, and whether the one that is asked for can be had. */
export async function checkPorts(
  config: Config,
  mesh: MeshFile | undefined,
  isUp: boolean,
): Promise<Checked> {
  const { port, url } = config.mesh;
  if (url !== undefined) return ok('ports', 'none of ours: mesh.url names a server');
  if (mesh && isUp)
    return ok(
      'ports',
      `on loopback: ${Object.entries(mesh.ports)
        .map(([name, number]) => `${name} ${number}`)
        .join(', ')}`,
    );
  if (port === undefined) return ok('ports', 'a free one on loopback is chosen at the start');
  const problem = await listenOnce(port);
  if (problem === undefined) return ok('ports', `${port} on loopback is free`);
  return missing(
    'ports',
    `${port} on loopback cannot be had: ${problem}`,
    'end what listens there, or leave mesh.port out for a free one',
  );
}

function listenOnce(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'EADDRINUSE' ? 'it is in use' : error.message),
    );
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(undefined)));
  });
}
