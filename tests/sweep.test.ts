import { v4 } from 'uuid';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Outcome } from '../schemas/run.ts';
import { journalSubject } from '../schemas/subject.ts';
import { openBench, type Bench, type BenchMesh } from './fed-shell.ts';
import { eventually } from './yard-parts.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench?.close());

const done: Outcome = { status: 'ok', output: 'done' };
const typesOf = async (mesh: BenchMesh, runId: string) => (await mesh.record(runId)).map(({ type }) => type);
const inboxTypes = async (mesh: BenchMesh) => (await mesh.inbox()).map(({ type }) => type).toSorted();

async function lose(mesh: BenchMesh, wanted: (type: string) => boolean): Promise<void> {
  for (const { type, sequence } of await mesh.inbox())
    if (wanted(type)) await bench.bus.manager.streams.deleteMessage(mesh.streams.inbox, sequence, false);
}

test('sweep: the input of an open step whose holder died is made again from the record', async () => {
  const mesh = await bench.mesh();
  const [holder, other] = [await mesh.coder({ act: () => new Promise(() => {}) }), await mesh.coder()];
  const runId = await mesh.startRun();
  void holder.shell.handle((await holder.take())!);
  await eventually(async () => (await mesh.record(runId)).length === 1, 'the intent');
  await holder.bus.connection.close();
  await holder.lease.stop();
  await lose(mesh, (type) => type === 'run.start');
  expect(await other.sweep()).toBe(1);
  await other.handleNext();
  expect(await typesOf(mesh, runId)).toEqual(['run.started', 'run.taken_over', 'run.stepped']);
});

test('sweep: so is one that an answer had opened', async () => {
  const mesh = await bench.mesh();
  let isHeld = false;
  const holder = await mesh.coder({ act: async () => (isHeld ? new Promise(() => {}) : done) });
  const other = await mesh.coder();
  const runId = await mesh.startRun();
  await holder.handleNext();
  isHeld = true;
  await mesh.answer(runId, { toolCalls: [{ id: 't', name: 'edit-file', arguments: {} }] });
  void holder.shell.handle((await holder.take())!);
  await eventually(async () => (await mesh.record(runId)).length === 3, 'the intent');
  await holder.bus.connection.close();
  await holder.lease.stop();
  await lose(mesh, (type) => type === 'call.answered');
  await other.sweep();
  await other.handleNext();
  expect((await typesOf(mesh, runId)).slice(2)).toEqual(['run.replied', 'run.taken_over', 'run.stepped']);
});

test('sweep: what still waits, or is in hands that hold it, is not sent a second time', async () => {
  const mesh = await bench.mesh();
  const coder = await mesh.coder();
  await mesh.startRun();
  await coder.handleNext();
  const before = await inboxTypes(mesh);
  expect(before).toEqual(['call.ask', 'call.deadline']);
  expect(await coder.sweep()).toBe(0);
  expect(await inboxTypes(mesh)).toEqual(before);
});

test('sweep: a broken or forged entry hides no answer, and does not keep the other journals from being swept', async () => {
  const mesh = await bench.mesh();
  const coder = await mesh.coder();
  const runs = [await mesh.startRun(), await mesh.startRun(), await mesh.startRun()];
  for (const _ of runs) await coder.handleNext();
  // The answer stands on the first run's call journal, below something that its author may not say.
  await mesh.answer(runs[0]!, { toolCalls: [{ id: 't', name: 'finish', arguments: { summary: 'done' } }] });
  for (const [place, runId] of runs.entries()) {
    const { callId } = ((await mesh.record(runId)).at(-1)!.event.data as { opens: { callId: string } }).opens;
    const call = journalSubject(mesh.namespace, { entity: 'call', taskId: mesh.taskId, id: callId });
    await bench.bus.jetstream.publish(call, ['{}', 'null', 'no JSON'][place]!);
    await bench.bus.jetstream.publish(mesh.journalOf(v4()), 'no JSON');
  }
  await lose(mesh, () => true);
  expect(await coder.sweep()).toBeGreaterThan(0);
  expect(await inboxTypes(mesh)).toContain('call.answered');
  expect((await inboxTypes(mesh)).filter((type) => type === 'call.ask')).toHaveLength(1);
  await coder.handleNext();
  expect((await typesOf(mesh, runs[0]!)).at(-1)).toBe('run.concluded');
});
