import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, git } from '../tests/yard-parts.ts';
import { freePort, openTerminal, processesOn, type Terminal } from '../tests/terminal.ts';

// What a person does with the demo, and what comes when a broker goes.
let terminal: Terminal;
beforeAll(async () => {
  terminal = await openTerminal();
});
afterAll(() => terminal?.close());

/** A person's own configuration: a model that nobody serves, a rule that sends the coder to it, and narrow bounds. */
const ownModels = () =>
  terminal.configure('own-models.yaml', {
    models: { own: { backend: 'openai', url: 'http://127.0.0.1:1/v1', model: 'm' } },
    roles: { coder: { models: ['own'] } },
    routes: [{ name: 'own', when: { role: 'coder' }, models: ['own'], why: 'it is mine' }],
    limits: { steps: 3, cycles: 0 },
    processes: { coder: 0 },
  });

test('demo: what it did is applied when no mesh runs any more, also after another demo', async () => {
  const state = join(terminal.area, 'demo');
  const up = ['--state', state, 'up', '--demo', '--once', '--durability', 'process'];
  const demo = (words: string[] = [], more = {}) => terminal.switchyard([...up, ...words], more);
  const first = await demo(['--config', ownModels()]);
  expect(first).toMatchObject({ code: 0 });
  for (const said of [
    />> kill -9 \d+: the demo kills its own coder \(coder\.\w+\) between intent and result of step 6/,
    />> back after \d+ ms in coder\.\w+: it found the edit made and repeated nothing/,
    /before any change: 9\/11 tests pass/,
    /review cycles left 1\/2/,
    /DENIED/,
    /scripted/,
  ])
    expect(first.error).toMatch(said);
  for (const said of [
    /scripted: the replies were written beforehand/,
    /before: 9\/11 tests pass; after: 11\/11 tests pass/,
    /asked for 1 change, made; then approved/,
    /mutates-argument src\/slots\.js:8 .*sorts in place/,
    /1 process died at work/,
    /notes-for-the-next-developer\.md/,
  ])
    expect(first.out).toMatch(said);
  const [, taskId] = /apply ([0-9a-f-]{36})/.exec(first.out)!;

  // As in a container of Docker's, or on an Ubuntu that forbids it: bubblewrap is there, and is refused.
  const refused = join(terminal.area, 'refused-bwrap');
  writeFileSync(refused, '#!/bin/sh\necho "bwrap: setting up uid map: Permission denied" >&2\nexit 1\n');
  chmodSync(refused, 0o755);
  const unheld = await demo([], { SWITCHYARD_BWRAP: refused });
  expect(unheld).toMatchObject({ code: 0, out: expect.stringContaining('run WITHOUT a sandbox') });
  expect(unheld.error).toMatch(/no sandbox: .*uid map: Permission denied\n.*own tests run WITHOUT one/);
  expect(unheld.error).toMatch(/repeated nothing/);
  const applied = await terminal.switchyard(['--state', state, 'apply', taskId!]);
  expect(applied.error).toContain('its broker is started for the moment');
  expect(applied).toMatchObject({ code: 0, out: expect.stringContaining('fast-forward') });
  expect(git(join(state, 'demo/meeting-slots'), 'rev-parse', '--abbrev-ref', 'HEAD').trim()).toBe('main');
  expect(existsSync(join(state, 'mesh.json'))).toBe(false);
});

test('demo: its scripted replies are not played against another repository, nor a model resumed with that there is not', async () => {
  const up = await terminal.up('demo', ['--demo', '--config', ownModels()]);
  await up.says(/the mesh stays up until Ctrl-C[^]*everything, live/);
  expect(up.error()).toContain("only the demo's scripted replies");
  expect(up.error()).not.toContain('./switchyard fix DIR');
  const columns = up
    .error()
    .split('\n')
    .flatMap((line) => / {4}(who is alive|one more coder|everything, live)/.exec(line)?.index ?? []);
  expect(columns).toHaveLength(3);
  expect(new Set(columns).size).toBe(1);
  const repository = terminal.makeRepository('mine', { 'add.js': '' });
  for (const words of [
    ['fix', repository],
    ['submit', '--repo', repository],
  ]) {
    const refused = await up.switchyard([...words, '--test', 'true']);
    expect(refused.error).toContain("only the demo's scripted replies");
    expect(refused.code).toBe(2);
  }
  expect(existsSync(join(up.stateDirectory, 'allowed.yaml'))).toBe(false);
  const resumed = await up.switchyard(['resume', 'latest', '--model', 'scriptd']);
  expect(resumed.error).toContain('did you mean "scripted"?');
  expect(resumed.code).toBe(2);
  up.kill('SIGINT');
  const ended = await up.ended;
  expect(ended.code).toBe(130);
  expect(ended.error).not.toContain('the nats-server ended');
});

test('up: says that there is no model; a second one exits 1; a broker that went is waited for, is back on its port, or is given up', async () => {
  const file = terminal.configure('few.yaml', {
    processes: { coder: 0, planner: 0, tester: 0, reviewer: 0, router: 0 },
  });
  const words = ['--config', file];
  const up = await terminal.up('empty', words);
  await up.says(/the mesh stays up until Ctrl-C/);
  expect(up.error()).toContain('no model is configured');
  const second = await terminal.switchyard(['--state', up.stateDirectory, 'up']);
  expect(second.code).toBe(1);

  const repository = terminal.makeRepository('waits', { 'add.js': '' });
  const fix = terminal.start([
    '--state',
    up.stateDirectory,
    'fix',
    repository,
    '--test',
    'node --check add.js',
  ]);
  await fix.says(/accepted/);
  up.kill('SIGKILL');
  await fix.says(/the broker is gone; waiting/);
  const again = await terminal.up('empty', words);
  expect(again.mesh.url).toBe(up.mesh.url);
  await fix.says(/the broker is back/);
  const [, taskId] = /task ([0-9a-f-]{36})/.exec(fix.error())!;
  await again.switchyard(['cancel', taskId!]);
  expect(await fix.ended).toMatchObject({ code: 3 });

  const watch = await again.switchyard(['submit', '--repo', repository, '--test', 'node --check add.js']);
  const following = terminal.start(['--state', up.stateDirectory, 'watch', watch.out.trim()]);
  await following.says(/accepted/);
  again.kill('SIGINT');
  await again.ended;
  const ended = await following.ended;
  expect(ended.error).toContain('./switchyard');
  expect(ended.code).toBe(6);
});

test('up: Ctrl-C while the processes start is heard at once, and none of them stays', async () => {
  const state = join(terminal.area, 'hasty');
  const up = terminal.start(['--state', state, 'up', '--durability', 'process']);
  // `up`, the nats-server, and the first of the roles.
  await eventually(() => processesOn(state).length > 4, 'the processes to be started');
  // As a terminal does: to every process, also to those that do not listen yet.
  for (const pid of processesOn(state)) process.kill(pid, 'SIGINT');
  const ended = await up.ended;
  expect(ended.error).not.toContain('is up after');
  expect(ended.error).not.toContain('takes its place');
  expect(ended.code).toBe(130);
  expect(processesOn(state)).toEqual([]);
  expect(existsSync(join(state, 'mesh.json'))).toBe(false);
});

test('up: a port that another program took since is passed over', async () => {
  const state = join(terminal.area, 'taken');
  const first = await terminal.up('taken', ['--broker-only']);
  first.kill('SIGTERM');
  expect(await first.ended).toMatchObject({ code: 0 });
  const other = await terminal.up('other', ['--broker-only', '--port', String(await freePort())]);
  writeFileSync(join(state, 'port'), new URL(other.mesh.url).port);
  const again = await terminal.up('taken', ['--broker-only']);
  expect(again.mesh.url).not.toBe(other.mesh.url);
});
