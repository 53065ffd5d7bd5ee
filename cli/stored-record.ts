import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openClient } from '../bus/client.ts';
import { readCredential, readPublicKeys } from '../bus/credentials.ts';
import { readRunningMesh } from '../config/running-mesh.ts';
import { lockStateDirectory } from '../config/state-lock.ts';
import { settingsOf, withMesh, type Connection } from './connection.ts';
import { openBroker } from './mesh.ts';
import type { Call } from './verb.ts';

/**
 * Like `withMesh`; but where no mesh runs, the broker of the state folder is started for the moment, without any role,
 * so that its record can be read. Throws what `withMesh` throws.
 */
export async function withRecord<Result>(
  call: Pick<Call<unknown>, 'options' | 'environment' | 'output'>,
  work: (mesh: Connection) => Promise<Result>,
): Promise<Result> {
  const { stateDirectory, config } = settingsOf(call);
  const isStored = existsSync(join(stateDirectory, 'nats', 'jetstream'));
  if (config.mesh.url !== undefined || readRunningMesh(stateDirectory) || !isStored)
    return withMesh(call, work);
  const say = (line: string) => call.output.progress(line);
  const lock = lockStateDirectory(stateDirectory);
  try {
    say('no mesh runs here: its broker is started for the moment, to read the record');
    const broker = await openBroker(config, stateDirectory, call.environment, say);
    try {
      const { password } = await readCredential(stateDirectory, 'operator');
      const { namespace } = config.mesh;
      const { url } = broker;
      const client = await openClient(
        url,
        namespace,
        { user: 'operator', password },
        await readPublicKeys(stateDirectory),
      );
      try {
        return await work({ client, config, stateDirectory, url, namespace, mesh: undefined });
      } finally {
        await client.close().catch(() => {});
      }
    } finally {
      await broker.bus.connection.close().catch(() => {});
      await broker.server?.stop();
    }
  } finally {
    lock.release();
  }
}
