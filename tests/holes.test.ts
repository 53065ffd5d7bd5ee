import { setTimeout as sleep } from 'node:timers/promises';
import { DiscardPolicy } from '@nats-io/jetstream';
import { v4 } from 'uuid';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DataOf } from '../schemas/catalogue.ts';
import { deriveId, type Envelope } from '../schemas/envelope.ts';
import type { Outcome, ToolStep } from '../schemas/run.ts';
import { journalSubject } from '../schemas/subject.ts';
import { gate, openBench, type Bench, type BenchMesh, type FedCoder } from './fed-shell.ts';
import { eventually } from './yard-parts.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench?.close());

const done: Outcome = { status: 'ok', output: 'done' };
const twoTools = {
  toolCalls: [
    { id: 't1', name: 'edit-file', arguments: {} },
    { id: 't2', name: 'write-file', arguments: {} },
  ],
};
const typesOf = async (mesh: BenchMesh, runId: string) => (await mesh.record(runId)).map(({ type }) => type);

test('hole 2: the same id on another journal is not swallowed, since an event is named after its journal', async () => {
  const mesh = await bench.mesh();
  const coder = await mesh.coder();
  const [one, other] = [await mesh.startRun(), v4()];
  const start = await firstOf(mesh);
  await coder.handleNext();
  await mesh.command('run.start', { ...start.data, work: { ...start.data.work, runId: other } }, start.id);
  await coder.handleNext();
  expect(await typesOf(mesh, one)).toEqual(['run.started', 'run.stepped']);
  expect(await typesOf(mesh, other)).toEqual(['run.started', 'run.stepped']);
});

test('hole 3: a copy of a handled message, beyond every window, decides nothing and is acknowledged', async () => {
  const mesh = await bench.mesh();
  let acts = 0;
  const coder = await mesh.coder({ act: async () => ((acts += 1), done) });
  const runId = await mesh.startRun();
  const start = await firstOf(mesh);
  await coder.handleNext();
  for (let copy = 0; copy < 3; copy += 1) {
    await mesh.command('run.start', start.data, start.id);
    await coder.handleNext();
  }
  expect(acts).toBe(1);
  expect(await typesOf(mesh, runId)).toEqual(['run.started', 'run.stepped']);
  expect(await mesh.pending()).toMatchObject({ waiting: 0, inHand: 0 });
});

test('hole 7: "nothing to do" on a stale cache looks again first, so that an answer is not dropped', async () => {
  const mesh = await bench.mesh();
  const [stale, other] = [await mesh.coder(), await mesh.coder()];
  const runId = await mesh.startRun();
  await stale.handleNext();
  await mesh.answer(runId, { toolCalls: [{ id: 't', name: 'edit-file', arguments: {} }] });
  await other.handleNext();
  // The open call is the second one now; what the first process has cached knows only the first.
  await mesh.answer(runId, { toolCalls: [{ id: 't', name: 'finish', arguments: { summary: 'done' } }] });
  await stale.handleNext();
  expect((await typesOf(mesh, runId)).at(-1)).toBe('run.concluded');
});

test('parked hole 1: a redelivery to the process that acts starts nothing, and its end releases the message for good', async () => {
  const mesh = await bench.mesh();
  const held = gate();
  let acts = 0;
  const coder = await mesh.coder({ act: async () => ((acts += 1), await held.pass(), done) });
  await mesh.startRun();
  const first = (await coder.take())!;
  const acting = coder.shell.handle(first);
  await held.reached;
  // The broker forgets the delivery: as after its own kill, or a late nak of a zombie.
  bench.bus.connection.publish(first.token, '-NAK');
  const again = await coder.handleNext();
  expect(again.deliveries).toBe(2);
  expect(acts).toBe(1);
  held.open();
  await acting;
  const kept: string[] = [];
  const heard = bench.bus.connection.subscribe('$JS.ACK.>', {
    callback: (_, { data }) => void kept.push(Buffer.from(data).toString()),
  });
  await sleep(mesh.leaseMs);
  heard.unsubscribe();
  expect(kept.filter((verb) => verb === '+WPI')).toEqual([]);
  expect(coder.custody).toEqual(new Set());
  expect((await mesh.inbox()).filter(({ type }) => type === 'run.start')).toEqual([]);
});

test('parked hole 3: another copy of an input whose step is open is acknowledged while its holder acts', async () => {
  const mesh = await bench.mesh();
  const held = gate();
  const [holder, other] = [
    await mesh.coder({ act: async () => (await held.pass(), done) }),
    await mesh.coder(),
  ];
  const runId = await mesh.startRun();
  const start = await firstOf(mesh);
  const acting = holder.shell.handle((await holder.take())!);
  await held.reached;
  await mesh.command('run.start', start.data, start.id);
  await other.handleNext();
  expect((await mesh.inbox()).filter(({ type }) => type === 'run.start')).toHaveLength(1);
  held.open();
  await acting;
  expect(await typesOf(mesh, runId)).toEqual(['run.started', 'run.stepped']);
});

test('parked hole 3: another copy takes over at once when the holder of the open step is gone', async () => {
  const mesh = await bench.mesh();
  const [holder, other] = [await mesh.coder({ act: () => new Promise(() => {}) }), await mesh.coder()];
  const runId = await mesh.startRun();
  const start = await firstOf(mesh);
  void holder.shell.handle((await holder.take())!);
  await eventually(async () => (await mesh.record(runId)).length === 1, 'the intent');
  await holder.bus.connection.close();
  await mesh.command('run.start', start.data, start.id);
  const copy = await other.handleNext();
  expect(await typesOf(mesh, runId)).toEqual(['run.started', 'run.taken_over', 'run.stepped']);
  expect((await mesh.record(runId))[1]!.event.data).toMatchObject({
    epoch: 2,
    from: holder.process,
    claim: { sequence: copy.sequence },
  });
});

test('parked holes 2 and 4: a first delivery that meets a young open step of a silent holder is put back until the lease has passed', async () => {
  const mesh = await bench.mesh(1500);
  const [holder, other] = [await mesh.coder({ act: () => new Promise(() => {}) }), await mesh.coder()];
  const runId = await mesh.startRun();
  void holder.shell.handle((await holder.take())!);
  await eventually(async () => (await mesh.record(runId)).length === 1, 'the intent');
  await holder.freeze();
  const start = await firstOf(mesh);
  await mesh.command('run.start', start.data, start.id);
  await other.handleNext();
  expect(await typesOf(mesh, runId)).toEqual(['run.started']);
  await handleUntil(other, async () => (await mesh.record(runId)).length === 3);
  expect(await typesOf(mesh, runId)).toEqual(['run.started', 'run.taken_over', 'run.stepped']);
  const [started, taken] = (await mesh.record(runId)).map(
    ({ event }) => event.data as DataOf<'run.taken_over'>,
  );
  // A decision bears the time at which its delivery was taken, a moment before the claim's age was judged.
  expect(taken!.given.atMs - started!.given.atMs).toBeGreaterThan(mesh.leaseMs - 250);
});

test('parked hole 5: one who was fenced says nothing more of the message that another holds', async () => {
  const mesh = await bench.mesh();
  const [slow, quick] = [gate(), gate()];
  const zombie = await mesh.coder({ act: async () => (await slow.pass(), done) });
  const other = await mesh.coder({ act: async () => (await quick.pass(), done) });
  const runId = await mesh.startRun();
  const first = (await zombie.take())!;
  const fenced = zombie.shell.handle(first);
  await slow.reached;
  await zombie.freeze();
  const taking = handleUntil(other, async () => (await mesh.record(runId)).length === 3);
  await quick.reached;
  slow.open();
  await fenced;
  expect(zombie.custody).toEqual(new Set());
  expect((await mesh.inbox()).map(({ sequence }) => sequence)).toContain(first.sequence);
  quick.open();
  await taking;
  expect(await typesOf(mesh, runId)).toEqual(['run.started', 'run.taken_over', 'run.stepped']);
});

test('parked hole 5: nor does one whose step was closed, while the same message has a next step in other hands', async () => {
  const mesh = await bench.mesh();
  const [slow, quick] = [gate(), gate()];
  const isEdit = (tool: string | undefined) => tool === 'edit-file';
  const toolOf = (run: { opens?: { kind: string } }) => (run.opens as ToolStep | undefined)?.tool;
  const zombie = await mesh.coder({ act: async (run) => (isEdit(toolOf(run)) && (await slow.pass()), done) });
  const other = await mesh.coder({
    act: async (run) => (toolOf(run) === 'write-file' && (await quick.pass()), done),
  });
  const runId = await mesh.startRun();
  await zombie.handleNext();
  await mesh.answer(runId, twoTools);
  const first = (await zombie.take())!;
  const fenced = zombie.shell.handle(first);
  await slow.reached;
  await zombie.freeze();
  const taking = handleUntil(
    other,
    async () => (await mesh.record(runId)).at(-1)!.type === 'run.stepped' && quickIsOpen,
  );
  let quickIsOpen = false;
  await quick.reached;
  // The first step is closed by the other, who now performs the second one on behalf of the same message.
  slow.open();
  await fenced;
  expect((await mesh.inbox()).map(({ sequence }) => sequence)).toContain(first.sequence);
  quickIsOpen = true;
  quick.open();
  await taking;
  expect((await typesOf(mesh, runId)).slice(2)).toEqual([
    'run.replied',
    'run.taken_over',
    'run.stepped',
    'run.stepped',
  ]);
  expect((await mesh.inbox()).map(({ sequence }) => sequence)).not.toContain(first.sequence);
});

/** The first message of the inbox, such as may be sent again. */
async function firstOf(mesh: BenchMesh): Promise<Envelope<DataOf<'run.start'>>> {
  return (await mesh.inbox())[0]!.event as Envelope<DataOf<'run.start'>>;
}

/** Takes and handles messages until it is so. */
async function handleUntil(coder: FedCoder, isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) {
    const delivery = await coder.take('role-coder', 1000);
    if (delivery) await coder.shell.handle(delivery);
  }
}

test('parked hole 10: a stop that overtakes its start is written, and the late start begins nothing', async () => {
  const mesh = await bench.mesh();
  let acts = 0;
  const coder = await mesh.coder({ act: async () => ((acts += 1), done) });
  const runId = v4();
  await mesh.command('run.stop', { runId, reason: 'cancelled' });
  await coder.handleNext();
  await mesh.startRun(runId);
  await coder.handleNext();
  expect(await typesOf(mesh, runId)).toEqual(['run.concluded']);
  expect(acts).toBe(0);
  expect(await mesh.pending()).toMatchObject({ waiting: 0, inHand: 0 });
});

test('parked hole 11: a stop does not wait for the act of the same process, and calls it off', async () => {
  const mesh = await bench.mesh();
  const acting = Promise.withResolvers<void>();
  const calledOff = Promise.withResolvers<number>();
  const coder = await mesh.coder({
    act: (_run, { signal }) => {
      acting.resolve();
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          calledOff.resolve(Date.now());
          reject(signal.reason as Error);
        });
      });
    },
  });
  const runId = await mesh.startRun();
  const started = coder.handleNext();
  await acting.promise;
  await mesh.command('run.stop', { runId, reason: 'cancelled' });
  const askedAtMs = Date.now();
  await coder.handleNext();
  expect((await calledOff.promise) - askedAtMs).toBeLessThan(5000);
  await started;
  expect(await typesOf(mesh, runId)).toEqual(['run.started', 'run.concluded']);
  expect(await mesh.pending()).toMatchObject({ waiting: 0, inHand: 0 });
});

test('a zombie between decision and append commits nothing, and does not act', async () => {
  const mesh = await bench.mesh();
  const held = gate();
  let acts = 0;
  let isFirst = true;
  const zombie = await mesh.coder({
    // What is looked up is looked up between fold and append.
    gather: async () => {
      if (isFirst) await held.pass();
      isFirst = false;
    },
    act: async () => ((acts += 1), done),
  });
  const other = await mesh.coder();
  const runId = await mesh.startRun();
  const fenced = zombie.shell.handle((await zombie.take())!);
  await held.reached;
  await zombie.freeze();
  await other.handleNext();
  const before = await mesh.record(runId);
  held.open();
  await fenced;
  expect(acts).toBe(0);
  expect(await mesh.record(runId)).toEqual(before);
  expect(before.map(({ type }) => type)).toEqual(['run.started', 'run.stepped']);
});

test('a result that lost its race to a late settlement on the same journal is stored all the same (rule 10)', async () => {
  const mesh = await bench.mesh();
  const held = gate();
  const isEdit = (run: { opens?: { kind: string } }) => (run.opens as ToolStep).tool === 'edit-file';
  let acts = 0;
  const coder = await mesh.coder({
    act: async (run) => (isEdit(run) && ((acts += 1), await held.pass()), done),
  });
  const other = await mesh.coder();
  const runId = await mesh.startRun();
  await coder.handleNext();
  // The first call has had its time, the second one answers, and the first one's answer comes while its tool is at work.
  const late = await mesh.openCall(runId);
  await mesh.command('call.deadline', { runId, callId: late, dueAtMs: 0 });
  await coder.handleNext();
  await mesh.answer(runId, { toolCalls: [{ id: 't', name: 'edit-file', arguments: {} }] });
  const acting = coder.shell.handle((await coder.take())!);
  await held.reached;
  await mesh.answer(runId, {}, late);
  await other.handleNext();
  held.open();
  await acting;
  expect((await typesOf(mesh, runId)).slice(2)).toEqual([
    'run.rerouted',
    'run.replied',
    'run.settled',
    'run.stepped',
  ]);
  expect(acts).toBe(1);
});

test('an opaque act whose process is gone is never repeated: the run ends as one who may have done it', async () => {
  const mesh = await bench.mesh();
  let acts = 0;
  const holder = await mesh.coder({ effect: 'opaque', act: () => ((acts += 1), new Promise(() => {})) });
  const other = await mesh.coder({ effect: 'opaque', act: async () => ((acts += 1), done) });
  const runId = await mesh.startRun();
  void holder.shell.handle((await holder.take())!);
  await eventually(() => acts === 1, 'the act');
  await holder.bus.connection.close();
  await holder.lease.stop();
  await handleUntil(other, async () => (await mesh.record(runId)).length === 2);
  expect((await mesh.record(runId))[1]).toMatchObject({
    type: 'run.concluded',
    event: { data: { ending: 'indeterminate' } },
  });
  expect(acts).toBe(1);
});

test('what is relayed depends on stored events alone: another process sends the very same message', async () => {
  const mesh = await bench.mesh();
  const [one, other] = [await mesh.coder(), await mesh.coder()];
  await mesh.startRun();
  const start = await firstOf(mesh);
  await one.handleNext();
  const asked = (await mesh.inbox()).filter(({ type }) => type === 'call.ask' || type === 'call.deadline');
  expect(asked).toHaveLength(2);
  for (const { sequence } of asked)
    await bench.bus.manager.streams.deleteMessage(mesh.streams.inbox, sequence, false);
  await forgetIds(mesh);
  await mesh.command('run.start', start.data, start.id);
  await other.handleNext();
  const again = (await mesh.inbox()).map(({ event }) => event);
  expect(again).toEqual(asked.map(({ event }) => event));
});

test('a result that cannot be stored for a moment is kept and stored, not acted for again', async () => {
  const mesh = await bench.mesh();
  let acts = 0;
  const coder = await mesh.coder({
    act: async () => {
      acts += 1;
      await limitRecord(mesh, 1);
      setTimeout(() => void limitRecord(mesh, -1), 400);
      return done;
    },
  });
  const runId = await mesh.startRun();
  await coder.handleNext();
  expect(await typesOf(mesh, runId)).toEqual(['run.started', 'run.stepped']);
  expect(acts).toBe(1);
});

test('a homecoming that names a lost event, or one whose place another has taken, is dropped: the sweep brings the true one', async () => {
  const mesh = await bench.mesh();
  const coder = await mesh.coder();
  const runId = await mesh.startRun();
  await coder.handleNext();
  const callId = await mesh.openCall(runId);
  const journal = journalSubject(mesh.namespace, { entity: 'call', taskId: mesh.taskId, id: callId });
  for (const sequence of [1, 999]) {
    await mesh.command('call.answered', { journal, sequence, runId });
    await coder.handleNext();
  }
  expect(await typesOf(mesh, runId)).toEqual(['run.started', 'run.stepped']);
  expect(await mesh.pending()).toMatchObject({ waiting: 0, inHand: 0 });
  expect((await bench.bus.manager.streams.info(mesh.streams.dead)).state.messages).toBe(0);
  await mesh.answer(runId, { toolCalls: [{ id: 't', name: 'finish', arguments: { summary: 'done' } }] });
  await coder.handleNext();
  expect((await typesOf(mesh, runId)).at(-1)).toBe('run.concluded');
});

test('a broker that refuses for long gives nothing up: its trouble counts against no message, and is looked at ever less often', async () => {
  const mesh = await bench.mesh();
  const coder = await mesh.coder();
  await mesh.startRun();
  await limitRecord(mesh, 1);
  await bench.bus.jetstream.publish(mesh.journalOf(v4()), '{}');
  const real = (await coder.take())!;
  const delays: number[] = [];
  for (let deliveries = 1; deliveries <= 120; deliveries += 1) {
    await coder.shell.handle({ ...real, deliveries, putBack: (delayMs) => void delays.push(delayMs) });
  }
  expect(delays).toHaveLength(120);
  expect(delays[0]).toBeLessThan(1000);
  expect(delays.at(-1)).toBe(5000);
});

test('a message that comes again and again is put back while its holder acts, and refused once nobody holds it', async () => {
  const mesh = await bench.mesh(60_000);
  const held = gate();
  const acting = await mesh.coder({ act: async () => (await held.pass(), done) });
  const other = await mesh.coder();
  const runId = await mesh.startRun();
  const real = (await acting.take())!;
  void acting.shell.handle(real);
  await held.reached;
  const putBack: string[] = [];
  const oftenTo = async (coder: FedCoder) => {
    const verbs = { putBack: () => void putBack.push(coder.process), giveUp: () => {} };
    await coder.shell.handle({ ...real, deliveries: 101, ...verbs });
  };
  await oftenTo(acting);
  await oftenTo(other);
  expect(putBack).toEqual([acting.process, other.process]);
  const buried = async () => (await bench.bus.manager.streams.info(mesh.streams.dead)).state.messages;
  expect(await buried()).toBe(0);
  // Its holder goes away in the middle of it.
  await acting.bus.connection.close();
  await eventually(async () => {
    await oftenTo(other);
    return (await buried()) === 1;
  }, 'it to be refused');
  expect(await typesOf(mesh, runId)).toEqual(['run.started']);
  // So is one that no step was ever begun on.
  const neverBegun = await mesh.startRun();
  const endless = (await other.take())!;
  await other.shell.handle({ ...endless, deliveries: 101 });
  expect(await buried()).toBe(2);
  expect(await typesOf(mesh, neverBegun)).toEqual([]);
});

test('an append that can never be clean is put back, not run again for ever', async () => {
  const mesh = await bench.mesh();
  const coder = await mesh.coder();
  const runId = await mesh.startRun();
  const start = await firstOf(mesh);
  // Under the id that the first event will have stands an entry that nobody believes.
  const id = deriveId(mesh.journalOf(runId), start.id, 0, 'run.started');
  await bench.bus.jetstream.publish(mesh.journalOf(runId), '{}', { msgID: id });
  const delivery = (await coder.take())!;
  await coder.shell.handle(delivery);
  expect(await mesh.pending()).toMatchObject({ inHand: 1 });
  expect(coder.custody).toEqual(new Set());
  await forgetIds(mesh);
  await handleUntil(
    coder,
    async () => (await bench.bus.manager.streams.info(mesh.streams.events)).state.messages === 3,
  );
});

/** Makes the record refuse what is more than so many events; -1 takes everything again. */
async function limitRecord(mesh: BenchMesh, messages: number): Promise<void> {
  const { config } = await bench.bus.manager.streams.info(mesh.streams.events);
  await bench.bus.manager.streams.update(mesh.streams.events, {
    ...config,
    max_msgs: messages,
    discard: DiscardPolicy.New,
  });
}

/** Waits until no stream remembers a message id. */
async function forgetIds(mesh: BenchMesh): Promise<void> {
  for (const stream of Object.values(mesh.streams)) {
    const { config } = await bench.bus.manager.streams.info(stream);
    await bench.bus.manager.streams.update(stream, { ...config, duplicate_window: 100_000_000 });
    // Ids are forgotten in their order, some time after the window: this one is the last.
    const subject = config.subjects[0]!.replaceAll(/[*>]/g, 'probe');
    const stored = async () => {
      const { duplicate, seq } = await bench.bus.jetstream.publish(subject, '', { msgID: 'the last' });
      if (!duplicate && !config.deny_delete)
        await bench.bus.manager.streams.deleteMessage(stream, seq, false);
      return !duplicate;
    };
    await stored();
    await expect.poll(stored).toBe(true);
  }
}
