import { readMeshFile, type MeshFile } from './mesh-file.ts';
import { isLocked } from './state-lock.ts';

/**
 * What `up` says of the mesh on a state folder, while it runs. What it said before it was killed is no mesh: nobody
 * would answer there. Throws ConfigurationError when the file is damaged.
 */
export function readRunningMesh(stateDirectory: string): MeshFile | undefined {
  const mesh = readMeshFile(stateDirectory);
  return mesh !== undefined && isLocked(stateDirectory) ? mesh : undefined;
}
