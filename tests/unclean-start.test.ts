import { afterAll, beforeAll, expect, test } from 'vitest';
import { readBelieved } from '../bus/journal.ts';
import { readMeshFile } from '../config/mesh-file.ts';
import type { DataOf } from '../schemas/catalogue.ts';
import { openTerminal, processesOn, resultOf, type Terminal, type Up } from './terminal.ts';
import { eventually } from './yard-parts.ts';

let terminal: Terminal;
beforeAll(async () => {
  terminal = await openTerminal();
});
afterAll(() => terminal?.close());

async function crashesOf(up: Up) {
  const { namespace } = up.mesh;
  const found: DataOf<'mesh.crash'>[] = [];
  for await (const { event } of readBelieved(
    { bus: up.client.bus, namespace },
    `${namespace}.event.mesh.crash.>`,
  ))
    found.push(event.data as DataOf<'mesh.crash'>);
  return found;
}

/** Kills it as a machine that loses power would: nobody is asked, and none can tell. */
async function killWhole(up: Up) {
  for (const pid of [up.pid, ...readMeshFile(up.stateDirectory)!.processes.map((one) => one.pid)]) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone with the others.
    }
  }
  await eventually(() => processesOn(up.stateDirectory).length === 0, 'all of it to be gone');
}

test('unclean start: every process of a mesh that was killed is a crash, once, and who takes its place is debugged', async () => {
  const config = terminal.configure('switchyard.yaml', { processes: { coder: 2, planner: 0, tester: 0 } });
  const first = await terminal.up('killed', ['--config', config, '--no-dashboard']);
  expect(await crashesOf(first)).toEqual([]);
  const living = await eventually(() => {
    const found = readMeshFile(first.stateDirectory)!.processes;
    return found.some((one) => one.name === 'observer' && one.process !== undefined) ? found : undefined;
  }, 'every process to be named');
  await killWhole(first);

  const second = await terminal.up('killed', ['--config', config, '--no-dashboard']);
  const crashes = await crashesOf(second);
  expect(crashes.map((one) => one.sign)).toEqual(living.map(() => 'unclean_start'));
  for (const { name, process: id } of living)
    expect(
      crashes.filter((one) => (id === undefined ? one.role === name : one.process === id)),
      id ?? name,
    ).toHaveLength(1);
  for (const { given, untilMs } of crashes) expect(untilMs - given.atMs).toBe(300_000);
  const { windows } = resultOf(await second.switchyard(['obs', '--json'])) as {
    windows: { role: string; mode: string }[];
  };
  expect(windows.filter((one) => one.role === 'coder' && one.mode === 'debug')).toHaveLength(2);

  // What it told of is told once, and an orderly stop leaves nothing to tell.
  second.kill('SIGTERM');
  await second.ended;
  const third = await terminal.up('killed', ['--config', config, '--no-dashboard']);
  expect(await crashesOf(third)).toHaveLength(living.length);
  third.kill('SIGTERM');
  await third.ended;
});
