import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Recorded } from '../bus/client.ts';
import type { DataOf } from '../schemas/catalogue.ts';
import { shortType } from '../schemas/envelope.ts';
import type { Outcome, ToolStep } from '../schemas/run.ts';
import { slotsExample, slotsScript, slotsTest } from './scenes.ts';
import { git } from './yard-parts.ts';
import { openYard, type Yard } from './yard.ts';

const files = join(slotsExample, 'repository');
let yard: Yard;
beforeAll(async () => {
  yard = await openYard({
    script: slotsScript(),
    processes: { manager: 1, router: 1, inference: 1, coder: 2, reviewer: 1 },
  });
});
afterAll(() => yard?.stop());

const isType =
  <Name extends Parameters<typeof shortType>[0]>(wanted: Name) =>
  ({ event }: Recorded) =>
    shortType(event.type) === wanted;

/** All that git and the file system say of a checkout, but for the branches below `switchyard/`. */
function checkoutOf(repository: string): unknown {
  return {
    head: git(repository, 'rev-parse', 'HEAD'),
    symbolic: git(repository, 'symbolic-ref', 'HEAD'),
    index: readFileSync(join(repository, '.git/index')).toString('base64'),
    status: git(repository, 'status', '--porcelain', '--ignored'),
    files: readdirSync(repository, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.parentPath.includes('.git'))
      .map((entry) => [entry.name, readFileSync(join(entry.parentPath, entry.name), 'utf8')]),
    branches: git(repository, 'for-each-ref', '--format=%(refname) %(objectname)')
      .split('\n')
      .filter((line) => !line.includes('/switchyard/')),
  };
}

const sound = async (taskId: string, repository: string) =>
  expect(await yard.problemsOf(taskId, repository)).toEqual([]);

test('journey: a task goes from red tests over a review that asks for changes to an approved branch', async () => {
  const repository = yard.makeRepository('meeting-slots', files);
  // Work that the user has not committed is left as it is.
  writeFileSync(join(repository, 'README.md'), 'half a sentence');
  git(repository, 'status');
  const before = checkoutOf(repository);
  const taskId = await yard.submit({ repository, test: slotsTest });
  expect(await yard.ended(taskId)).toBe('task.completed');
  const events = await yard.events(taskId);
  const dataOf = <
    Name extends
      | 'run.started'
      | 'run.concluded'
      | 'task.handed_over'
      | 'task.revision_requested'
      | 'task.completed'
      | 'task.accepted'
      | 'route.decided',
  >(
    name: Name,
  ) => events.filter(isType(name)).map(({ event }) => event.data as DataOf<Name>);

  // Tests: red at first, green in the end, and judged by the harness.
  expect(dataOf('run.concluded')[0]).toMatchObject({
    role: 'coder',
    ending: 'done',
    baseline: { testsPass: false, passed: 9, failed: 2 },
    tests: { testsPass: true, passed: 11, failed: 0 },
  });
  expect(dataOf('task.completed')).toMatchObject([
    { tests: { testsPass: true, passed: 11, failed: 0 }, branch: `switchyard/${taskId}` },
  ]);
  // Hops and cycles: coder, reviewer, coder, reviewer.
  expect(dataOf('run.started').map(({ work }) => [work.role, work.hop, work.cyclesLeft])).toEqual([
    ['coder', 0, 2],
    ['reviewer', 1, 2],
    ['coder', 2, 1],
    ['reviewer', 3, 1],
  ]);
  expect(dataOf('task.revision_requested')).toMatchObject([
    { why: 'review', cyclesLeft: 1, findings: [{ id: 'mutates-argument', severity: 'blocking' }] },
  ]);
  expect(dataOf('route.decided')).toHaveLength(4);
  for (const { confidence, why, choices } of dataOf('route.decided')) {
    expect(confidence).toBeGreaterThan(0);
    expect(why).not.toBe('');
    expect(choices[0]?.backend).toBe('scripted');
  }
  const hops = events.map(({ event }) => event.hop ?? 0);
  expect(Math.max(...hops)).toBe(3);

  // The write outside is an intent and a denial, and nothing was written.
  const opened = events
    .map(({ event }) => (event.data as { opens?: ToolStep }).opens)
    .find((step) => step?.tool === 'write-file');
  expect(opened).toMatchObject({ kind: 'tool', arguments: { path: '../notes-for-the-next-developer.md' } });
  const denied = events
    .map(({ event }) => event.data as { number?: number; outcome?: Outcome })
    .find(({ outcome }) => outcome?.status === 'denied');
  expect(denied?.number).toBe(opened?.number);
  const written = readdirSync(yard.area, { recursive: true }).filter((name) =>
    String(name).includes('notes-for-the-next'),
  );
  expect(written).toEqual([]);

  // The branch is there, the work is in it, and nothing else of the user's changed.
  expect(git(repository, 'show', `switchyard/${taskId}:src/slots.js`)).toContain('[...meetings].sort(');
  expect(git(repository, 'rev-parse', `switchyard/${taskId}`)).toBe(dataOf('task.completed')[0]!.commit);
  expect(dataOf('task.accepted')[0]!.notes.join()).toContain('1 file(s) with uncommitted changes');
  expect(checkoutOf(repository)).toEqual(before);
  await sound(taskId, repository);
});

test('journey: a scripted patch that no longer fits ends paused and says why, never completed', async () => {
  const repository = yard.makeRepository('edited', files);
  const slots = join(repository, 'src/slots.js');
  writeFileSync(
    slots,
    readFileSync(slots, 'utf8').replace(
      'one.start <= other.end && other.start <= one.end',
      '!(one.end < other.start || other.end < one.start)',
    ),
  );
  git(repository, 'commit', '--all', '--message=otherwise');
  const taskId = await yard.submit({ repository, test: slotsTest });
  expect(await yard.ended(taskId)).toBe('task.paused');
  const events = await yard.events(taskId);
  expect(events.some(isType('task.completed'))).toBe(false);
  const paused = events.find(isType('task.paused'))!.event.data as DataOf<'task.paused'>;
  expect(paused).toMatchObject({
    kind: 'model',
    mend: expect.stringMatching(`^./switchyard resume ${taskId}`),
  });
  expect(paused.reason).toMatch(/no longer fits: edit-file should have been ok, but was failed/);
  expect(existsSync(join(repository, '.git/refs/heads/switchyard', taskId))).toBe(false);
});

test('journey: several tasks at once are shared by the coders, each with a record of its own', async () => {
  const repositories = Array.from({ length: 4 }, (_, place) => yard.makeRepository(`shared-${place}`, files));
  const taskIds = await Promise.all(
    repositories.map((repository) => yard.submit({ repository, test: slotsTest })),
  );
  const ends = await Promise.all(taskIds.map((taskId) => yard.ended(taskId)));
  expect(ends).toEqual(taskIds.map(() => 'task.completed'));
  const coders = new Set<string>();
  for (const [place, taskId] of taskIds.entries()) {
    await sound(taskId, repositories[place]!);
    for (const { event } of await yard.events(taskId)) {
      if (event.sender === 'coder') coders.add((event.data as DataOf<'run.stepped'>).given.process);
    }
  }
  expect(coders.size).toBe(2);
});
