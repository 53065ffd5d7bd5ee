import type { Role } from '../schemas/row.ts';
import { inboxPrefixOf } from '../schemas/permissions.ts';
import { readCredential, readPublicKeys } from './credentials.ts';
import type { Credentials } from './connect.ts';
import type { Membership } from './process.ts';

export interface MembershipRequest {
  stateDirectory: string;
  url: string;
  version: string;
  mesh: { name: string; namespace: string; leaseMs: number; sweepMs: number; url?: string };
  /** The user of the operator's own broker, where `mesh.url` names one. */
  brokerUser?: Credentials | undefined;
  logLevel?: string;
}

/**
 * A role's own credentials and everyone's public keys. On a broker of the operator's own all roles are its one user;
 * events are signed and checked all the same.
 */
export async function membershipOf(
  request: MembershipRequest,
  role: Role | 'observer' | 'operator',
): Promise<Membership> {
  const { mesh, stateDirectory } = request;
  const own = await readCredential(stateDirectory, role);
  const credentials =
    mesh.url === undefined
      ? { user: role, password: own.password, inboxPrefix: inboxPrefixOf(role) }
      : request.brokerUser;
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
    ...(request.logLevel ? { logLevel: request.logLevel } : {}),
  };
}
