import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { writePrivateFile } from '../config/private-file.ts';

/** Where the `nats` CLI keeps its contexts. */
function contextFile(name: string, environment: Record<string, string | undefined>): string {
  return join(
    environment['XDG_CONFIG_HOME'] || join(homedir(), '.config'),
    'nats',
    'context',
    `${name}.json`,
  );
}

/**
 * Writes a context of the `nats` CLI for this mesh, so that `nats --context NAME` just works, and returns its name. A
 * name that belongs to another mesh, or that a person made, is left alone: then ours gets a few letters more.
 */
export function writeNatsContext(
  mesh: { name: string; url: string; user: string; password: string; stateDirectory: string },
  environment: Record<string, string | undefined>,
): string {
  const description = `Switchyard mesh at ${mesh.stateDirectory}`;
  const tail = createHash('sha256').update(mesh.stateDirectory).digest('hex').slice(0, 4);
  const name = [mesh.name, `${mesh.name}-${tail}`].find((one) => {
    const file = contextFile(one, environment);
    if (!existsSync(file)) return true;
    try {
      return (JSON.parse(readFileSync(file, 'utf8')) as { description?: string }).description === description;
    } catch {
      return false;
    }
  });
  const chosen = name ?? `${mesh.name}-${tail}-mesh`;
  const context = { description, url: mesh.url, user: mesh.user, password: mesh.password };
  writePrivateFile(contextFile(chosen, environment), `${JSON.stringify(context, null, 2)}\n`);
  return chosen;
}

/** Takes a context away that `writeNatsContext` wrote. */
export function removeNatsContext(name: string, environment: Record<string, string | undefined>): void {
  rmSync(contextFile(name, environment), { force: true });
}
