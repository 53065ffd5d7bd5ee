import { readMeshFile, type MeshFile } from '../config/mesh-file.ts';
import { openMeshCrashes, type CrashReporting } from './report-death.ts';

/**
 * The processes of a mesh that was killed, as the file says that a clean end takes away. Whoever calls this must hold the
 * folder's lock, so that none of them belongs to a mesh that runs.
 */
export function readKilled(stateDirectory: string): MeshFile['processes'] {
  try {
    return readMeshFile(stateDirectory)?.processes ?? [];
  } catch {
    // Damaged: it names nobody, and is written anew.
    return [];
  }
}

/** Says in the record that each of them came to grief, so that those who take their place are debugged. */
export async function reportKilled(mesh: CrashReporting, killed: MeshFile['processes']): Promise<void> {
  const crashes = killed.length === 0 ? undefined : await openMeshCrashes(mesh);
  if (!crashes) return;
  await Promise.all(
    killed.map((one) =>
      crashes.report({
        process: nameOf(one),
        sign: 'unclean_start',
        why: `${nameOf(one)} (pid ${one.pid}) was of a mesh that ended without an orderly stop; the next one found it`,
      }),
    ),
  );
}

/** Its instance id, as others may have told of its death; what never served has none, nor has what is no role. */
const nameOf = ({ name, pid, startedAt, process }: MeshFile['processes'][number]) =>
  process ?? [`${name}.${pid}`, ...(startedAt === undefined ? [] : [startedAt])].join('-');
