import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmod, link, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { signatureCurve } from './signature.ts';

/** What one user of the server proves itself with; keys are PEM texts. */
export type Credential = {
  name: string;
  /** 32 random bytes, base64url. */
  password: string;
  /** Signs what the user says (PKCS #8). */
  privateKey: string;
  /** Checks such a signature (SPKI). */
  publicKey: string;
};

const NAME = /^[a-z][a-z0-9-]*$/;
const PUBLIC_KEYS = 'public-keys';

/**
 * The credentials of these users, generated where they are missing, under `credentials/` in the state
 * folder: a file for each user and the public keys of all, for the owner's eyes only.
 * Throws an Error with the mend when a file can be read by others or is damaged.
 */
export async function loadCredentials(
  stateDirectory: string,
  userNames: string[],
): Promise<Record<string, Credential>> {
  const folder = folderOf(stateDirectory);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await refuseReadable(folder, '700');
  for (const name of userNames) {
    if (!NAME.test(name) || name === PUBLIC_KEYS) {
      throw new RangeError(
        `${JSON.stringify(name)} cannot name a user: lower-case letters, digits and hyphens only`,
      );
    }
    await createMissing(folder, name);
  }
  const credentials: Record<string, Credential> = {};
  for (const name of userNames) credentials[name] = await readCredential(stateDirectory, name);
  await writePublicKeys(folder, stateDirectory);
  return credentials;
}

/**
 * One user's credential: all that a process of that user needs to read.
 * Throws an Error with the mend when the file is missing, readable by others, or damaged.
 */
export async function readCredential(stateDirectory: string, name: string): Promise<Credential> {
  const file = join(folderOf(stateDirectory), `${name}.json`);
  const { password, privateKey } = (await readPrivateJson(file)) as Partial<Credential>;
  try {
    if (typeof password !== 'string' || typeof privateKey !== 'string') throw new Error('a field is missing');
    const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString();
    return { name, password, privateKey, publicKey };
  } catch (failure) {
    throw damaged(file, failure);
  }
}

/** The public keys (PEM) of all users of the state folder, by name. Throws an Error as `readCredential` does. */
export async function readPublicKeys(stateDirectory: string): Promise<Record<string, string>> {
  return (await readPrivateJson(join(folderOf(stateDirectory), `${PUBLIC_KEYS}.json`))) as Record<
    string,
    string
  >;
}

/**
 * Puts the credentials of these users, and everyone's public keys, into another state folder, for the owner's eyes only:
 * what a host needs that joins the mesh, and no other secret. Throws an Error as `readCredential` does.
 */
export async function exportCredentials(
  stateDirectory: string,
  userNames: string[],
  target: string,
): Promise<void> {
  const credentials = await Promise.all(userNames.map((name) => readCredential(stateDirectory, name)));
  const publicKeys = await readPublicKeys(stateDirectory);
  const folder = folderOf(target);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await refuseReadable(folder, '700');
  const put = async (name: string, content: unknown) =>
    rename(await writePrivate(folder, name, content), join(folder, `${name}.json`));
  for (const { name, password, privateKey } of credentials) await put(name, { name, password, privateKey });
  await put(PUBLIC_KEYS, publicKeys);
}

/** Whether a state folder holds what the launcher of a mesh has: the folder of a host that joined does not. */
export async function holdsAdmin(stateDirectory: string): Promise<boolean> {
  return (await stat(join(folderOf(stateDirectory), 'admin.json')).catch(() => undefined)) !== undefined;
}

function folderOf(stateDirectory: string): string {
  return join(stateDirectory, 'credentials');
}

async function createMissing(folder: string, name: string): Promise<void> {
  const file = join(folder, `${name}.json`);
  if (await stat(file).catch(() => undefined)) return;
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: signatureCurve,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const password = randomBytes(32).toString('base64url');
  const fresh = await writePrivate(folder, name, { name, password, privateKey });
  // A link appears whole, and never replaces what another process has just created.
  await link(fresh, file).catch((failure: NodeJS.ErrnoException) => {
    if (failure.code !== 'EEXIST') throw failure;
  });
  await rm(fresh, { force: true });
}

/** Every user's public key, those of users that an earlier start created included: old events bear their signatures. */
async function writePublicKeys(folder: string, stateDirectory: string): Promise<void> {
  const keys: Record<string, string> = {};
  for (const file of (await readdir(folder)).sort()) {
    const name = file.replace(/\.json$/, '');
    if (!file.endsWith('.json') || !NAME.test(name) || name === PUBLIC_KEYS) continue;
    keys[name] = (await readCredential(stateDirectory, name)).publicKey;
  }
  await rename(await writePrivate(folder, PUBLIC_KEYS, keys), join(folder, `${PUBLIC_KEYS}.json`));
}

async function writePrivate(folder: string, name: string, content: unknown): Promise<string> {
  const fresh = join(folder, `.${name}-${randomBytes(6).toString('hex')}`);
  await writeFile(fresh, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  // The process's umask may have taken away more than others' rights.
  await chmod(fresh, 0o600);
  return fresh;
}

async function readPrivateJson(file: string): Promise<unknown> {
  await refuseReadable(file, '600');
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (failure) {
    throw damaged(file, failure);
  }
}

async function refuseReadable(path: string, rightMode: string): Promise<void> {
  const about = await stat(path).catch((failure: NodeJS.ErrnoException) => {
    if (failure.code === 'ENOENT') throw new Error(`${path} does not exist: \`switchyard up\` creates it.`);
    throw failure;
  });
  const mode = about.mode & 0o777;
  if ((mode & 0o077) === 0) return;
  throw new Error(
    `${path} can be read by other users (mode ${mode.toString(8)}). Mend: chmod ${rightMode} '${path}'. ` +
      `If others may have read it, delete it and restart the mesh to have a new one made.`,
  );
}

function damaged(file: string, failure: unknown): Error {
  const reason = failure instanceof Error ? failure.message : String(failure);
  return new Error(`${file} is damaged (${reason}). Delete it and restart the mesh to have a new one made.`, {
    cause: failure,
  });
}
