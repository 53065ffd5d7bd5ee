import { readFileSync, rmSync } from 'node:fs';
import { ConfigurationError } from './configuration-error.ts';
import { writePrivateFile } from './private-file.ts';
import { meshFile } from './state.ts';

/** What `up` says about the mesh that it runs, for the other commands. It holds no password. */
export interface MeshFile {
  name: string;
  namespace: string;
  /** The configuration file that `up` was given, so that the other commands read the same; absent where it was found by itself. */
  configFile?: string;
  /** Address of the broker. */
  url: string;
  /** Every port that the mesh listens on, by what for. */
  ports: Record<string, number>;
  /**
   * Every process of the mesh with its start as the system gives it, since pids are used again. `process`: its instance
   * id, once it serves.
   */
  processes: { name: string; pid: number; startedAt?: string; process?: string }[];
  /** Milliseconds since 1970 UTC. */
  startedAtMs: number;
}

/** Says it, in place of what was said before; for the owner's eyes, whole or not at all. */
export function writeMeshFile(stateDirectory: string, mesh: MeshFile): void {
  writePrivateFile(meshFile(stateDirectory), `${JSON.stringify(mesh, null, 2)}\n`);
}

/** What `up` last said, or undefined. The mesh may have died since. Throws ConfigurationError when the file is damaged. */
export function readMeshFile(stateDirectory: string): MeshFile | undefined {
  const file = meshFile(stateDirectory);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new ConfigurationError([`${file}: ${(failure as Error).message}`]);
  }
  try {
    const mesh = JSON.parse(text) as MeshFile;
    if (typeof mesh.url !== 'string' || !Array.isArray(mesh.processes))
      throw new TypeError('url or processes is missing');
    return mesh;
  } catch {
    throw new ConfigurationError([`${file}: it is damaged; delete it and run \`./switchyard up\` again`]);
  }
}

/** Takes it away when the mesh has ended. */
export function removeMeshFile(stateDirectory: string): void {
  rmSync(meshFile(stateDirectory), { force: true });
}
