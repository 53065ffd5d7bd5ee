import { cpSync, existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openArtifacts } from '../bus/artifacts.ts';
import { readPublicKeys } from '../bus/credentials.ts';
import type { Recorded } from '../bus/client.ts';
import { meshFile, overridesFile, createStateDirectory } from '../config/state.ts';
import type { DataOf } from '../schemas/catalogue.ts';
import { shortType } from '../schemas/envelope.ts';
import type { Role } from '../schemas/row.ts';
import { advanceBranch, applyBranch, publishBranch } from '../tools/branch.ts';
import { bringCommit, repositoryName, snapshotName } from '../tools/carry.ts';
import { mirrorOf } from '../tools/mirror.ts';
import { branchViolations, violations } from './oracle.ts';
import { environmentOf, git, startBare, type BareProcess } from './yard-parts.ts';
import { sandboxForTests } from '../tools/sandbox-for-tests.ts';
import { namespace, openYard, type Yard } from './yard.ts';

let yard: Yard;
let other: { stateDirectory: string; start(role: Role): Promise<void> };
let started: BareProcess[];

beforeEach(async () => {
  // Manager, router and models are at the user's host; who codes and who reviews is up to the test.
  yard = await openYard({ processes: { manager: 1, router: 1, inference: 1 } });
  started = [];
  other = await openOtherHost();
});
afterEach(async () => {
  for (const one of started) one.kill('SIGKILL');
  await Promise.all(started.map((one) => one.gone));
  await yard?.stop();
});

/** A second host: the mesh's address and credentials, a state folder of its own, and nothing else of the first. */
async function openOtherHost(): Promise<typeof other> {
  const stateDirectory = join(yard.area, 'other-host');
  createStateDirectory(stateDirectory);
  cpSync(join(yard.stateDirectory, 'credentials'), join(stateDirectory, 'credentials'), { recursive: true });
  for (const file of [meshFile, overridesFile]) cpSync(file(yard.stateDirectory), file(stateDirectory));
  const sandbox = await sandboxForTests();
  const environment = environmentOf(sandbox.level === 'none' ? undefined : sandbox.bwrap, undefined);
  return {
    stateDirectory,
    async start(role) {
      const one = startBare(role, stateDirectory, join(yard.area, 'logs', `other-${role}.log`), environment);
      started.push(one);
      await one.ready;
    },
  };
}

/** The disk of the user's host is not there for the other one: neither the repository nor the first state's mirrors. */
const hidden = (path: string) => `${path}-at-the-first-host`;
const firstDisk = () => [yard.repository, join(yard.stateDirectory, 'repositories')];
const hideFirstDisk = () => {
  for (const path of firstDisk()) if (existsSync(path)) renameSync(path, hidden(path));
};
const showFirstDisk = () => {
  for (const path of firstDisk()) if (existsSync(hidden(path))) renameSync(hidden(path), path);
};

const ofType = <Name extends Parameters<typeof shortType>[0]>(events: Recorded[], name: Name) =>
  events.filter(({ event }) => shortType(event.type) === name);

async function sound(taskId: string): Promise<void> {
  const raw = await yard.client.readRaw(taskId);
  expect(violations(raw, namespace, await readPublicKeys(yard.stateDirectory))).toEqual([]);
  expect(branchViolations(raw, yard.repository)).toEqual([]);
}

test('other host: a coder there goes on where the killed one stopped, and its branch reaches the repository with the review', async () => {
  const base = git(yard.repository, 'rev-parse', 'HEAD');
  // The first edit is in the record; the second is made and committed here, and its result is not.
  const coder = yard.startBare('coder', 'acted=write-file.3.1:kill');
  await coder.ready;
  const taskId = await yard.submit();
  await coder.gone;
  hideFirstDisk();
  await other.start('coder');
  await yard.until(taskId, (_one, type) => type === 'run.concluded');
  showFirstDisk();
  expect(() => git(yard.repository, 'rev-parse', '--verify', `switchyard/${taskId}`)).toThrow(
    /Needed a single revision/,
  );

  yard.startBare('reviewer');
  expect(await yard.ended(taskId)).toBe('task.completed');
  const events = await yard.events(taskId);
  const [taken] = ofType(events, 'run.taken_over').map(({ event }) => event.data as DataOf<'run.taken_over'>);
  expect(taken).toMatchObject({ number: 3, epoch: 2 });
  const steps = ofType(events, 'run.stepped').map(({ event }) => event.data as DataOf<'run.stepped'>);
  const [prepared, edited, written] = steps;
  expect(prepared!.given.process).toBe(edited!.given.process);
  expect(edited!.given.process).toBe(taken!.from);
  expect(written!.given.process).not.toBe(taken!.from);
  // It was done again, from the edit's commit on: what the dead one had made of it is on a disk that is not there.
  expect(written!.outcome).toMatchObject({ status: 'ok' });
  expect(written!.outcome.adopted).toBeUndefined();

  const completed = ofType(events, 'task.completed')[0]!.event.data as DataOf<'task.completed'>;
  expect(git(yard.repository, 'rev-parse', `switchyard/${taskId}`)).toBe(completed.commit);
  expect(git(yard.repository, 'rev-list', `${base}..switchyard/${taskId}`).split('\n')).toEqual([
    written!.outcome.commit,
    edited!.outcome.commit,
  ]);
  expect(git(yard.repository, 'show', `switchyard/${taskId}:add.js`)).toContain('one + other');
  expect(git(yard.repository, 'show', `switchyard/${taskId}:NOTES.md`)).toBe('The sum was a difference.');
  expect(existsSync(join(mirrorOf(other.stateDirectory, yard.repository), 'shallow'))).toBe(true);
  await sound(taskId);
});

test('other host: where all agents are there, the branch is brought by the command that applies it', async () => {
  const coder = yard.startBare('coder', 'resulted=run.stepped:kill');
  await coder.ready;
  const base = git(yard.repository, 'rev-parse', 'HEAD');
  const taskId = await yard.submit();
  await coder.gone;
  hideFirstDisk();
  await Promise.all([other.start('coder'), other.start('reviewer')]);
  expect(await yard.ended(taskId)).toBe('task.completed');
  showFirstDisk();
  const events = await yard.events(taskId);
  const { commit } = ofType(events, 'task.completed')[0]!.event.data as DataOf<'task.completed'>;
  expect(() => git(yard.repository, 'cat-file', '-e', commit)).toThrow();

  const { get } = openArtifacts(await yard.connectAs('operator'), namespace);
  const where = { stateDirectory: yard.stateDirectory, repository: yard.repository };
  const { mirror, wasBrought } = await bringCommit({ ...where, baseCommit: base, commit, get });
  expect(wasBrought).toBe(true);
  await advanceBranch(mirror, taskId, commit);
  expect(await publishBranch({ mirror, repository: yard.repository, taskId })).toMatchObject({
    published: true,
    commit,
  });
  expect(await applyBranch({ repository: yard.repository, taskId })).toMatchObject({
    applied: true,
    how: 'fast_forward',
  });
  await sound(taskId);
  // A second time nothing is read, and without the start of the task the snapshot says where it builds on.
  const never = () => Promise.reject(new Error('nothing is to be read'));
  expect(await bringCommit({ ...where, commit, get: never })).toEqual({ mirror, wasBrought: false });
  const third = { stateDirectory: join(yard.area, 'third'), repository: join(yard.area, 'absent') };
  expect(await bringCommit({ ...third, commit, get })).toMatchObject({ wasBrought: true });
});

test('other host: what was never stored is named in the reason for which the task stops', async () => {
  const base = git(yard.repository, 'rev-parse', 'HEAD');
  const taskId = await yard.submit();
  await yard.until(taskId, (_one, type) => type === 'task.accepted');
  hideFirstDisk();
  await other.start('coder');
  const { event } = await yard.until(taskId, (_one, type) => type === 'run.concluded');
  const { ending, reason } = event.data as DataOf<'run.concluded'>;
  expect(ending).toBe('setup');
  expect(reason).toContain(
    `${yard.repository} is not on this host, and the object store has no ${repositoryName(base)}`,
  );
  expect(await yard.ended(taskId)).toMatch(/^task\.(paused|failed)$/);

  const { get } = openArtifacts(await yard.connectAs('operator'), namespace);
  showFirstDisk();
  const absent = bringCommit({
    stateDirectory: yard.stateDirectory,
    repository: yard.repository,
    baseCommit: base,
    commit: '1'.repeat(40),
    get,
  });
  await expect(absent).rejects.toThrow(`the object store has no ${snapshotName('1'.repeat(40))}`);
});
