import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, type Bus } from './connect.ts';
import { openLauncher, type Launcher } from './launcher.ts';
import { EVERYTHING, startTestServer, type TestServer } from './server-fixture.ts';

/** A role that only says what it holds: a message, and that it answers on a subject. */
const program = `
import { writeSync } from 'node:fs';
writeSync(4, '=answers.here\\n+ack.one\\n+ack.two\\n-ack.two\\n');
process.send({ isReady: true, process: 'coder.' + process.pid });
setInterval(() => {}, 1000);
`;

let server: TestServer;
let bus: Bus;
let checkout: string;
let launcher: Launcher;
const deaths: string[] = [];
const started: { pid: number; process: string | undefined }[] = [];
beforeAll(async () => {
  server = await startTestServer();
  bus = await connect(server.url, 'test', { user: EVERYTHING.name, password: EVERYTHING.password });
  checkout = await mkdtemp(join(tmpdir(), 'switchyard-launcher-'));
  await mkdir(join(checkout, 'agents'));
  await mkdir(join(checkout, 'observability'));
  await writeFile(join(checkout, 'agents/main.ts'), program);
  await writeFile(join(checkout, 'observability/telemetry.ts'), '');
  launcher = openLauncher({
    fileOf: (source) => join(checkout, source),
    checkout,
    stateDirectory: checkout,
    logsDirectory: join(checkout, 'logs'),
    args: [],
    environment: () => ({ PATH: process.env['PATH'] }),
    bus,
    longestBackOffMs: 500,
    onStart: ({ pid, process }) => void started.push({ pid, process }),
    onDeath: (_child, how) => void deaths.push(how),
  });
});
afterAll(async () => {
  await launcher?.stop();
  await bus?.connection.close();
  await server?.[Symbol.asyncDispose]();
  if (checkout) await rm(checkout, { recursive: true, force: true });
});

test('launcher: gives back what a dead process held, once the broker knows that it is gone; another takes its place', async () => {
  const heard: [string, string][] = [];
  bus.connection.subscribe('ack.*', {
    callback: (_, message) => void heard.push([message.subject, message.string()]),
  });
  // As long as the broker still believes in the dead process, it would hand the message to it again.
  let asked = 0;
  const stillThere = bus.connection.subscribe('answers.here', {
    callback(_, message) {
      asked += 1;
      message.respond('idle');
    },
  });
  const child = await launcher.start('coder');
  expect(started, 'told before it serves').toEqual([{ pid: child.pid, process: undefined }]);
  process.kill(child.pid, 'SIGKILL');
  await expect.poll(() => deaths).toEqual(['was killed by SIGKILL']);
  await expect.poll(() => asked).toBeGreaterThan(3);
  expect(heard).toEqual([]);
  stillThere.unsubscribe();
  await expect.poll(() => heard).toEqual([['ack.one', '-NAK']]);
  await expect.poll(() => launcher.children().map(({ pid }) => pid)).toHaveLength(1);
  expect(launcher.children()[0]!.pid).not.toBe(child.pid);
});

test('launcher: does not wait for ever for a broker that does not let go of a dead process', async () => {
  await expect.poll(() => launcher.children()[0]?.process).toBeDefined();
  const heard: string[] = [];
  const listening = bus.connection.subscribe('ack.one', {
    callback: (_, message) => void heard.push(message.string()),
  });
  const stillThere = bus.connection.subscribe('answers.here', { callback: () => {} });
  launcher.children()[0]!.kill('SIGKILL');
  await expect.poll(() => heard).toEqual(['-NAK']);
  stillThere.unsubscribe();
  listening.unsubscribe();
});

test('launcher: a program that refuses to start is not started again, and its last words say why', async () => {
  await mkdir(join(checkout, 'gpu-worker'), { recursive: true });
  await writeFile(
    join(checkout, 'gpu-worker/main.ts'),
    "process.stderr.write('gpu-worker: it needs 9 GB and 1 GB is free\\n');\nprocess.exit(2);\n",
  );
  const before = deaths.length;
  await expect(launcher.start('gpu-worker', ['--model', 'large'])).rejects.toThrow(
    /the gpu-worker refuses to start: gpu-worker: it needs 9 GB and 1 GB is free/,
  );
  await sleep(1000);
  expect(deaths).toHaveLength(before);
  expect(launcher.children().map((one) => one.program)).not.toContain('gpu-worker');
});

test('launcher: one that served and is then refused is told of each time, and started again until it serves', async () => {
  await writeFile(
    join(checkout, 'gpu-worker/main.ts'),
    `
import { existsSync, writeFileSync } from 'node:fs';
const starts = ['first', 'second', 'third', 'fourth'].map((one) => process.cwd() + '/' + one);
const place = starts.findIndex((one) => !existsSync(one));
writeFileSync(starts[place], '');
if (place === 1 || place === 2) {
  process.stderr.write('gpu-worker: it needs 9 GB and 1 GB is free\\n');
  process.exit(2);
}
process.send({ isReady: true, process: 'inference.' + place });
setInterval(() => {}, 1000);
`,
  );
  const before = deaths.length;
  const child = await launcher.start('gpu-worker');
  child.kill('SIGKILL');
  const serving = () => launcher.children().find((one) => one.process === 'inference.3');
  await expect.poll(serving).toBeDefined();
  const refused = 'refuses to start: gpu-worker: it needs 9 GB and 1 GB is free';
  expect(deaths.slice(before)).toEqual(['was killed by SIGKILL', refused, refused]);
});

test('launcher: it stops also where the observer, told by somebody else, ends before the others do', async () => {
  // Each ends when told; a role, as one with work in hand, a little later.
  const endsAfter = (ms: number) => `
process.on('SIGTERM', () => setTimeout(() => process.exit(0), ${ms}));
process.send({ isReady: true, process: 'one.' + process.pid });
setInterval(() => {}, 1000);
`;
  await writeFile(join(checkout, 'agents/main.ts'), endsAfter(500));
  await writeFile(join(checkout, 'observability/main.ts'), endsAfter(0));
  await Promise.all([launcher.start('tester'), launcher.start('observer')]);
  for (const child of launcher.children()) child.kill('SIGTERM');
  await launcher.stop();
  expect(launcher.children()).toEqual([]);
});
