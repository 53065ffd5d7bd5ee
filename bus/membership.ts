import { readFile } from 'node:fs/promises';
import type { Role } from '../schemas/row.ts';
import { readCredential, readPublicKeys } from './credentials.ts';
import { BrokerError } from './errors.ts';
import type { Membership } from './process.ts';

export interface MembershipRequest {
  stateDirectory: string;
  url: string;
  version: string;
  mesh: { name: string; namespace: string; leaseMs: number; sweepMs: number; url?: string; credentials?: string };
}

/**
 * A role's own credentials and everyone's public keys. On a broker of the operator's own, its one user is read from
 * `mesh.credentials`; events are signed and checked all the same.
 */
export async function membershipOf(request: MembershipRequest, role: Role | 'operator'): Promise<Membership> {
  const { mesh, stateDirectory } = request;
  const own = await readCredential(stateDirectory, role);
  const credentials = mesh.url === undefined ? { user: role, password: own.password } : await foreign(mesh.credentials);
  return {
    url: request.url,
    meshName: mesh.name,
    namespace: mesh.namespace,
    ...(credentials ? { credentials } : {}),
    privateKey: own.privateKey,
    publicKeys: await readPublicKeys(stateDirectory),
    leaseMs: mesh.leaseMs,
    sweepMs: mesh.sweepMs,
    version: request.version,
  };
}

/** The user for a broker that is not ours, or none where it asks for none. */
export async function foreign(file: string | undefined): Promise<{ user: string; password: string } | undefined> {
  if (file === undefined) return undefined;
  try {
    return JSON.parse(await readFile(file, 'utf8')) as { user: string; password: string };
  } catch (error) {
    throw new BrokerError(`mesh.credentials: ${file} cannot be read`, 'write {"user": "...", "password": "..."} into it', { cause: error });
  }
}
