import type { Bus } from '../bus/connect.ts';
import { openCrashes, type Crashes } from '../bus/crash.ts';
import { readCredential, readPublicKeys } from '../bus/credentials.ts';
import type { Child } from '../bus/launcher.ts';
import { openLog } from '../bus/log.ts';
import { openSigner, openVerifier } from '../bus/signature.ts';

/** The mesh in whose record it is said. */
export interface CrashReporting {
  bus: Bus;
  namespace: string;
  stateDirectory: string;
}

/**
 * Says in the record that a process ended unasked, so that those who take its place are debugged. A host that joined has
 * not the keys for it: there the manager notices the silence.
 */
export async function reportDeath(
  mesh: CrashReporting,
  child: Pick<Child, 'process'>,
  how: string,
): Promise<void> {
  const { process } = child;
  // One that never served says why it did not in its log; one that ended well needs no debugging.
  if (process === undefined || how === 'ended with exit code 0') return;
  const crashes = await openMeshCrashes(mesh);
  await crashes?.report({ process, sign: 'exit', why: `${process} ${how}` });
}

/** The crashes as whoever runs the mesh may tell them, or undefined without its keys: it goes on without. */
export async function openMeshCrashes(mesh: CrashReporting): Promise<Crashes | undefined> {
  try {
    const { privateKey } = await readCredential(mesh.stateDirectory, 'operator');
    const verify = openVerifier(await readPublicKeys(mesh.stateDirectory));
    const options = { ...mesh, log: openLog('launcher', 'silent'), verify, sign: openSigner(privateKey) };
    return openCrashes(options, 'operator', 'launcher');
  } catch {
    return undefined;
  }
}
