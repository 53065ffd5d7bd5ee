import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheDirectoryOf } from '../bus/cache-directory.ts';
import { serverBinary } from '../bus/server-fixture.ts';
import { findSandbox } from '../cli/find-sandbox.ts';
import { environmentVariables } from '../config/environment.ts';
import { checkoutRoot } from '../config/state.ts';
import { namesSecret } from '../schemas/secrets.ts';

/** Of what a person sets for Switchyard, only where programs are found reaches the tests. */
const kept = ['SWITCHYARD_BWRAP', 'SWITCHYARD_NATS_SERVER', 'XDG_CACHE_HOME', 'NO_COLOR'];

/** Takes keys, and what a person has set for a mesh of their own, out of an environment. */
export function clean(environment: Record<string, string | undefined>): void {
  const ours = environmentVariables.filter((one) => one.setBy !== 'system').map((one) => one.name);
  for (const name of Object.keys(environment))
    if (namesSecret(name) || (ours.includes(name) && !kept.includes(name))) delete environment[name];
}

/** Where everything lies that tests write; those that a failure or a signal cuts short leave it there. */
const area = mkdtempSync(join(tmpdir(), 'switchyard-tests-'));

/** Runs once, before the first worker starts: fetches what the tests need, so that they do not race for it. */
export async function setup(): Promise<void> {
  clean(process.env);
  process.env['TMPDIR'] = area;
  // Of a thousand processes each would else compile the same again.
  process.env['NODE_COMPILE_CACHE'] = join(cacheDirectoryOf(process.env), 'compiled');
  execFileSync(process.execPath, [join(checkoutRoot, 'setup/programs.mjs')], { stdio: 'inherit' });
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const { bubblewrap } = await findSandbox(process.env, say);
  if (bubblewrap) process.env['SWITCHYARD_BWRAP'] = bubblewrap;
  try {
    await serverBinary();
  } catch (error) {
    // The tests that need one fail with the same words; the others still say what they have to say.
    say(error instanceof Error ? error.message : String(error));
  }
}

export function teardown(): void {
  rmSync(area, { recursive: true, force: true, maxRetries: 5 });
}
