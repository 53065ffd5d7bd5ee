import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import recorded from '../observability/dashboard/demo/recording.gen.json' with { type: 'json' };
import { conversationOf } from '../observability/dashboard/model/conversation.ts';
import {
  addSample,
  lateMs,
  noMesh,
  poolSpeed,
  type MeshSample,
} from '../observability/dashboard/model/mesh-history.ts';
import { keys } from '../observability/dashboard/model/keys.ts';
import { crashWhy, meshNotices } from '../observability/dashboard/model/mesh-log.ts';
import { hashOf, placeOf, type Place } from '../observability/dashboard/model/place.ts';
import { nextAfterMs, nextTrouble } from '../observability/dashboard/model/playhead.ts';
import { routingsOf } from '../observability/dashboard/model/routing.ts';
import { filterTasks, noFilter } from '../observability/dashboard/model/task-filter.ts';
import { takeOverAt } from '../observability/dashboard/model/take-over.ts';
import { extend, noRecord, summaryAt } from '../observability/dashboard/model/task-record.ts';
import { scaleEndMs, timeScale } from '../observability/dashboard/model/time-scale.ts';
import { incidentsAt, isOverAt, rowsAt } from '../observability/dashboard/model/track.ts';
import {
  advanceYard,
  emptyYard,
  mostTasks,
  type Action,
  type Yard,
} from '../observability/dashboard/model/yard.ts';
import { makeExamples } from '../observability/dashboard/source/examples.ts';
import { demoAsked, type Recording } from '../observability/dashboard/source/demo.ts';
import { generate } from '../observability/dashboard/source/generated.ts';
import { summaryOf } from '../observability/query.ts';
import { textOf } from '../observability/span.ts';
import { viewOf, type RecordedEvent } from '../observability/task-view.ts';
import { durationText } from '../observability/wording.ts';
import { shortType } from '../schemas/envelope.ts';
import { root } from './tree.ts';

const { events, samples } = recorded as unknown as Recording;
const taskId = events[0]!.event.subject!;
const whole = extend(noRecord(taskId), events);
const after = (...actions: Action[]): Yard => actions.reduce(advanceYard, emptyYard);
const reached = (position: number) => ({ record: 'one', position });

test('dashboard: however its events come, a task looks the same', () => {
  const atOnce = after({ do: 'events', events, reached: reached(events.at(-1)!.sequence) });
  const oneByOne = events.reduce(
    (yard, one) => advanceYard(yard, { do: 'events', events: [one], reached: reached(one.sequence) }),
    emptyYard,
  );
  const loaded = after({ do: 'record', taskId, events });
  for (const yard of [oneByOne, loaded]) {
    expect(yard.records.get(taskId)!.track).toEqual(atOnce.records.get(taskId)!.track);
    expect(yard.tasks.get(taskId)).toEqual(atOnce.tasks.get(taskId));
  }
  // The row is the one that the read side would answer.
  expect(atOnce.tasks.get(taskId)).toEqual(summaryOf(viewOf(events), events[0]!.sequence));
});

test('dashboard: a bar to which nothing new happened stays what it is, and what was known before is not changed', () => {
  let record = noRecord(taskId);
  for (const [index, event] of events.entries()) {
    const before = record.track;
    const asItWas = structuredClone(before);
    record = extend(record, [event]);
    expect(before).toEqual(asItWas);
    const { track } = record;
    expect(track).toEqual(extend(noRecord(taskId), events.slice(0, index + 1)).track);
    for (const [id, node] of track.byId) {
      const known = before.byId.get(id);
      if (known !== node) expect(node, id).not.toEqual(known);
      const siblings = node.parent ? track.byId.get(node.parent)!.children : track.top;
      expect(siblings.filter((one) => one.id === id)).toEqual([node]);
      expect(siblings.includes(node)).toBe(true);
    }
  }
});

test('dashboard: events that come twice, or overlap after a break, are counted once and leave no gap', () => {
  const half = Math.floor(events.length / 2);
  const yard = after(
    { do: 'events', events: events.slice(0, half + 5), reached: reached(half + 5) },
    { do: 'link', link: { phase: 'lost', why: 'a test', sinceMs: 0 } },
    { do: 'events', events: events.slice(half - 5), reached: reached(events.length) },
    { do: 'record', taskId, events },
  );
  expect(yard.records.get(taskId)!.events.map((one) => one.sequence)).toEqual(
    events.map((one) => one.sequence),
  );
  expect(yard.records.get(taskId)!.track).toEqual(whole.track);
});

test('dashboard: a task whose beginning is not here is asked for again rather than guessed', () => {
  const [row] = [summaryAt(whole, 10)!];
  const yard = after(
    { do: 'list', tasks: [row], isWhole: true, reached: reached(row.lastSequence) },
    { do: 'events', events: events.slice(11, 20), reached: reached(events[19]!.sequence) },
  );
  expect([...yard.touched]).toEqual([taskId]);
  expect(yard.records.size).toBe(0);
  const answered = advanceYard(yard, { do: 'rows', tasks: [summaryAt(whole, 19)!] });
  expect(answered.touched.size).toBe(0);
  expect(answered.tasks.get(taskId)!.events).toBe(20);
  // An older answer that comes late changes nothing.
  expect(advanceYard(answered, { do: 'rows', tasks: [row] }).tasks.get(taskId)!.events).toBe(20);
});

test('dashboard: another read model drops what was known, but not the connection', () => {
  const yard = after(
    { do: 'link', link: { phase: 'live' }, mesh: 'm' },
    { do: 'events', events },
    { do: 'anew' },
  );
  expect(yard).toMatchObject({ link: { phase: 'live' }, mesh: 'm', isListed: false });
  expect(yard.tasks.size + yard.records.size).toBe(0);
  expect(yard.reached).toBeUndefined();
});

test('dashboard: what a model writes is shown until its reply is recorded', () => {
  const completed = events.findIndex((one) => shortType(one.event.type) === 'call.completed');
  const { callId, runId } = events[completed]!.event.data as Record<string, string>;
  const text = (words: string): Action => ({
    do: 'live',
    kind: 'text',
    data: { callId, runId, model: 'm', text: words },
    atMs: 1,
  });
  const yard = after({ do: 'events', events: events.slice(0, completed) }, text('Two tests '), text('fail'));
  expect(yard.liveTexts.get(callId!)?.text).toBe('Two tests fail');
  const retried = advanceYard(yard, { do: 'live', kind: 'retry', data: { callId }, atMs: 2 });
  expect(retried.liveTexts.size).toBe(0);
  expect(advanceYard(yard, { do: 'events', events: [events[completed]!] }).liveTexts.size).toBe(0);
});

test('dashboard: what a model writes for a task that nobody looks at is dropped once its reply is recorded', () => {
  const completed = events.findIndex((one) => shortType(one.event.type) === 'call.completed');
  const live = (callId: string): Action => ({
    do: 'live',
    kind: 'text',
    data: { callId, text: 'a' },
    atMs: 1,
  });
  const { callId } = events[completed]!.event.data as { callId: string };
  const row = { ...summaryAt(whole, 3)!, lastSequence: 1 };
  const yard = after({ do: 'list', tasks: [row], isWhole: true }, live(callId), live('another'));
  const answered = advanceYard(yard, { do: 'events', events: [events[completed]!] });
  expect(answered.records.size).toBe(0);
  expect([...answered.liveTexts.keys()]).toEqual(['another']);
  // One whose end is never heard of gives way to newer ones.
  const many = Array.from({ length: 250 }, (_, index) => live(`call ${index}`)).reduce(advanceYard, answered);
  expect(many.liveTexts.size).toBe(200);
  expect(many.liveTexts.has('call 249')).toBe(true);
});

/** The recorded events as those of another task, later in the record. */
const again = (id: string, from: number, list: readonly RecordedEvent[] = events): RecordedEvent[] =>
  list.map((one) => ({
    ...(JSON.parse(JSON.stringify(one).replaceAll(taskId, id)) as RecordedEvent),
    sequence: one.sequence + from,
    atMs: one.atMs + from,
  }));

test('dashboard: a page that is open for long keeps the tasks that are at work, looked at or the last that ended', () => {
  let yard = after({ do: 'open', taskId: 'task-2' });
  const atWork = again('at-work', 10, events.slice(0, 12));
  yard = advanceYard(yard, { do: 'events', events: atWork });
  for (let index = 0; index < 30; index += 1)
    yard = advanceYard(yard, { do: 'events', events: again(`task-${index}`, 1000 * (index + 1)) });
  const kept = Array.from({ length: 20 }, (_, index) => `task-${index + 10}`);
  expect([...yard.records.keys()]).toEqual(['at-work', 'task-2', ...kept]);
  expect(yard.tasks.size).toBe(31);
  // What was dropped is a row like any other, and whole again once it is asked for.
  yard = advanceYard(yard, { do: 'events', events: again('task-5', 99_000, events.slice(-1)) });
  expect([...yard.touched]).toEqual(['task-5']);
  yard = after({ do: 'open', taskId: 'task-5' });
  yard = advanceYard(yard, { do: 'record', taskId: 'task-5', events: again('task-5', 6000) });
  expect(yard.records.get('task-5')!.events).toHaveLength(events.length);
  // Looked at is what was looked at last.
  for (let index = 0; index < 25; index += 1)
    yard = advanceYard(yard, { do: 'open', taskId: `task-${index}` });
  expect([...yard.opened]).toEqual(Array.from({ length: 20 }, (_, index) => `task-${index + 5}`));
  expect(advanceYard(yard, { do: 'anew' }).opened).toBe(yard.opened);
});

test('dashboard: the list keeps the newest tasks, and what is loaded whole', () => {
  const row = summaryAt(whole, Infinity)!;
  const rows = Array.from({ length: mostTasks + 5 }, (_, index) => ({
    ...row,
    taskId: `task-${index}`,
    startedAtMs: row.startedAtMs + 1 + index,
  }));
  const yard = after({ do: 'record', taskId, events }, { do: 'list', tasks: rows, isWhole: true });
  expect(yard.tasks.size).toBe(mostTasks + 1);
  expect([yard.tasks.has(taskId), yard.tasks.has('task-4'), yard.tasks.has('task-5')]).toEqual([
    true,
    false,
    true,
  ]);
  const fresh = again('fresh', 100_000_000, events.slice(0, 3));
  const more = advanceYard(yard, { do: 'events', events: fresh });
  expect(more.tasks.has('fresh') && !more.tasks.has('task-5')).toBe(true);
});

test('dashboard: every event of a task is on a bar, and every bar opens before it closes', () => {
  const { track } = whole;
  expect(track.nodeOfEvent).toHaveLength(events.length);
  expect(track.nodeOfEvent.filter((id) => !track.byId.has(id))).toEqual([]);
  for (const node of track.byId.values()) {
    expect(node.closeIndex, node.label).toBeGreaterThanOrEqual(node.openIndex);
    expect(node.closeAtMs!).toBeGreaterThanOrEqual(node.openAtMs);
    if (node.parent) expect(track.byId.get(node.parent)!.children).toContain(node);
  }
  expect(track.top.filter((one) => one.kind === 'run').map((one) => [one.role, one.outcome])).toEqual([
    ['coder', 'done'],
    ['reviewer', 'changes'],
    ['coder', 'done'],
    ['reviewer', 'approved'],
  ]);
});

test('dashboard: a crash, its resume, a denial and a review that asks for changes are signs of their own', () => {
  const signs = whole.track.incidents.map((one) => one.sign);
  expect(signs).toEqual(['crash', 'resumed', 'denied', 'changes']);
  const crash = whole.track.incidents[0]!;
  const [step] = [whole.track.byId.get(whole.track.nodeOfEvent[crash.index]!)!];
  expect(step.label).toBe('edit-file src/slots.js');
  expect(incidentsAt(step, crash.index - 1)).toEqual([]);
  expect(incidentsAt(step, crash.index).map((one) => one.sign)).toEqual(['crash', 'resumed']);
  const run = whole.track.byId.get(step.parent!)!;
  expect(incidentsAt(run, crash.index).map((one) => one.sign)).toEqual(['crash', 'resumed']);
});

test('dashboard: that a process died and another went on is told in a sentence, from then on and where it happened', () => {
  const crash = whole.track.incidents[0]!.index;
  expect(takeOverAt(whole, crash - 1)).toBeUndefined();
  const died = 'coder died during edit-file src/slots.js';
  const wentOn = 'another went on at +2.9s, 0.4s after that step began';
  expect(takeOverAt(whole, crash)).toEqual({ died, wentOn });
  const told = { died, wentOn: `${wentOn}, found it done and repeated nothing` };
  expect(takeOverAt(whole, crash + 1)).toEqual(told);
  expect(takeOverAt(whole, events.length - 1)).toEqual(told);
  // Of a model call it is a worker that died, and of several the last is told.
  const asked = events.findLast((one) => shortType(one.event.type) === 'call.intended')!;
  const { callId } = asked.event.data as { callId: string };
  const callLost = (sequence: number): RecordedEvent => ({
    ...asked,
    sequence,
    atMs: asked.atMs + 50,
    event: {
      ...asked.event,
      type: 'dev.switchyard.call.taken_over.v1',
      data: { callId, from: 'inference.a', claim: { process: 'inference.b' } },
    },
  });
  const lost = extend(noRecord(taskId), [...events.slice(0, events.indexOf(asked) + 1), callLost(9000)]);
  expect(takeOverAt(lost, lost.events.length - 1)).toEqual({
    died: '2 processes died so far; the last: inference worker died while it answered the reviewer',
    wentOn: 'another went on at +7.7s, 50ms after that step began',
  });
});

test('dashboard: the tasks beside the recorded one are in other states, and say that they are made up', () => {
  const made = makeExamples(events).map((one) => extend(noRecord(one.taskId), one.events));
  const rows = made.map((one) => summaryAt(one, Infinity)!);
  expect(rows.map((one) => one.state)).toEqual(['running', 'paused', 'waiting', 'failed', 'completed']);
  expect(rows.every((one) => one.goal.startsWith('Made up: ') && !one.isScripted)).toBe(true);
  expect(new Set(rows.map((one) => one.taskId)).size).toBe(rows.length);
  for (const record of made) expect(record.track.nodeOfEvent.filter((id) => id === '')).toEqual([]);
  const [routing] = routingsOf(made[0]!.events);
  expect(routing!.seen.map((one) => one.choice ?? one.rejected)).toEqual([
    0,
    1,
    expect.stringContaining('tag'),
  ]);
});

test('dashboard: at any place of the scrubber a task looks as it did when it had come so far', () => {
  for (let cursor = 0; cursor < events.length; cursor += 1) {
    const then = extend(noRecord(taskId), events.slice(0, cursor + 1));
    const rows = rowsAt(whole.track, cursor, new Set());
    expect(rows.map((one) => one.id)).toEqual(rowsAt(then.track, cursor, new Set()).map((one) => one.id));
    expect(rows.map((one) => isOverAt(one, cursor))).toEqual(
      rows.map((one) => then.track.byId.get(one.id)!.closeIndex !== undefined),
    );
    expect(summaryAt(whole, cursor)).toEqual(summaryAt(then, Infinity));
  }
});

test('dashboard: a closed run hides its steps', () => {
  const run = whole.track.top.find((one) => one.kind === 'run')!;
  const open = rowsAt(whole.track, events.length, new Set());
  const closed = rowsAt(whole.track, events.length, new Set([run.id]));
  expect(open.length - closed.length).toBe(run.children.length);
});

test('dashboard: what took a moment is told in milliseconds', () => {
  const told = [-5, 0, 0.4, 12, 99.4, 99.6, 140, 12_340, 245_000, 3_720_000].map(durationText);
  expect(told).toEqual(['0ms', '0ms', '0ms', '12ms', '99ms', '0.1s', '0.1s', '12.3s', '4m05s', '1h02m']);
});

test('dashboard: time is drawn in order, and a long silence is folded', () => {
  const hour = 3_600_000;
  const scale = timeScale([0, 1000, 2000, 2000 + hour, 3000 + hour], 0);
  expect(scale.folds).toMatchObject([{ lastsMs: hour }]);
  const places = [0, 1000, 2000, 2000 + hour, 3000 + hour].map((ms) => scale.at(ms));
  expect(places).toEqual([...places].sort((one, other) => one - other));
  expect([places[0], places[4]]).toEqual([0, 1]);
  // A second of work is as long before the silence as after it.
  expect(places[1]! - places[0]!).toBeCloseTo(places[4]! - places[3]!, 5);
  expect(scale.inverse(scale.at(1500))).toBeCloseTo(1500, 3);
  expect(timeScale([5], 5).at(5)).toBe(0);
});

test('dashboard: the scale of a task that goes on ends after now, and is seldom another one', () => {
  const from = 1_000_000;
  for (const lasts of [0, 1, 200, 5000, 3_600_000]) {
    const end = scaleEndMs(from, from + lasts);
    expect(end - from).toBeGreaterThanOrEqual(lasts);
    expect(end - from).toBeLessThanOrEqual(lasts * 1.02 + 1);
  }
  const ends = Array.from({ length: 300 }, (_, tick) => scaleEndMs(from, from + 3_600_000 + tick * 200));
  expect(new Set(ends).size).toBeLessThan(4);
});

test('dashboard: playing keeps the time between events but waits for no long silence', () => {
  const times = [{ atMs: 0 }, { atMs: 500 }, { atMs: 900_000 }];
  expect(nextAfterMs(times, 0, 1)).toBe(500);
  expect(nextAfterMs(times, 0, 4)).toBe(125);
  expect(nextAfterMs(times, 1, 1)).toBe(3000);
  expect(nextAfterMs(times, 2, 1)).toBeUndefined();
  expect([nextTrouble([4, 9], 0), nextTrouble([4, 9], 4), nextTrouble([4, 9], 9)]).toEqual([4, 9, 4]);
  expect([nextTrouble([4, 9], 9, true), nextTrouble([4, 9], 4, true), nextTrouble([], 4)]).toEqual([
    4,
    9,
    undefined,
  ]);
});

test('dashboard: a decision of the router shows what it saw', () => {
  const [first, ...rest] = routingsOf(events);
  expect(rest).toHaveLength(3);
  expect(first).toMatchObject({
    role: 'coder',
    confidence: 0.95,
    rule: 'role',
    pool: 'scripted',
    isDecided: true,
  });
  expect(first!.seen).toMatchObject([
    { name: 'scripted', isAlive: true, choice: 0, tags: ['scripted'], slots: 8 },
  ]);
});

test('dashboard: agents speak with sender, recipient, type, hop and cycles left', () => {
  const said = conversationOf(events);
  const line = ({ sender, recipient, type }: (typeof said)[number]) => `${sender} ${type} ${recipient}`;
  const lines = said.map(line);
  expect(lines).toContain('manager work.route coder');
  expect(lines).toContain('router run.start reviewer');
  expect(lines).toContain('reviewer work.concluded manager');
  expect(lines).toContain('coder call.ask pool scripted');
  expect(lines).toContain('inference call.answered reviewer');
  const changes = said.find((one) => one.text.startsWith('This is to be changed'))!;
  expect(changes).toMatchObject({ sender: 'manager', recipient: 'coder', hop: 2, cyclesLeft: 1 });
});

test('dashboard: tasks are filtered by state, text, role and model together', () => {
  const row = summaryAt(whole, Infinity)!;
  const tasks = [
    row,
    {
      ...row,
      taskId: 'x',
      state: 'paused' as const,
      goal: 'Leap years',
      roleAtWork: 'coder',
      models: ['big'],
    },
  ];
  const found = (filter: Partial<typeof noFilter>) =>
    filterTasks(tasks, { ...noFilter, ...filter }).map((one) => one.taskId);
  expect(found({})).toEqual([taskId, 'x']);
  expect(found({ state: 'open' })).toEqual(['x']);
  expect(found({ state: 'completed' })).toEqual([taskId]);
  expect(found({ text: 'YEARS leap' })).toEqual(['x']);
  expect(found({ role: 'reviewer' })).toEqual([taskId]);
  expect(found({ model: 'big', role: 'reviewer' })).toEqual([]);
});

test('dashboard: the mesh is remembered for the last minutes and no longer', () => {
  const sample = (atMs: number, outputTokens: number): MeshSample => ({
    ...samples[0]!,
    atMs,
    totals: {
      tasks: 1,
      byState: {},
      calls: 1,
      inputTokens: 1,
      outputTokens,
      costMicroDollars: 0,
      byModel: [],
    },
  });
  const mesh = addSample(addSample(noMesh, sample(1000, 10)), sample(3000, 50));
  expect(mesh.points.map((one) => one.tokensPerSecond)).toEqual([0, 20]);
  // Without totals in a sample those before it hold, and a counter that begins again is no negative speed.
  expect(addSample(mesh, samples[0]!).latest?.totals?.outputTokens).toBe(50);
  expect(addSample(mesh, sample(5000, 0)).points.at(-1)?.tokensPerSecond).toBe(0);
  let many = noMesh;
  for (let index = 0; index < 400; index += 1) many = addSample(many, sample(index * 2000, index));
  expect(many.points).toHaveLength(150);
});

test('dashboard: a process that says nothing is late, and one that is gone is shown so for a minute', () => {
  const [one, other] = samples[0]!.processes;
  const from = 1_000_000;
  const at = (afterMs: number, ...heard: [typeof one, number][]): MeshSample => ({
    ...samples[0]!,
    atMs: from + afterMs,
    processes: heard.map(([process, saidMs]) => ({ ...process!, atMs: from + saidMs })),
  });
  // The clock of the other's host is a minute behind.
  let mesh = addSample(noMesh, at(1000, [one, 0], [other, -60_000]));
  mesh = addSample(mesh, at(3000, [one, 2000], [other, -58_000]));
  const late = () => mesh.latest!.processes.map((process) => lateMs(mesh, process));
  expect(late()).toEqual([undefined, undefined]);
  mesh = addSample(mesh, at(7000, [one, 2000], [other, -54_000]));
  expect(late()).toEqual([5000, undefined]);
  mesh = addSample(mesh, at(9000, [other, -52_000]));
  expect(mesh.gone.map(({ process, atMs }) => [process.process, atMs - from])).toEqual([
    [one!.process, 9000],
  ]);
  expect(addSample(mesh, at(69_000, [other, 0])).gone).toHaveLength(1);
  expect(addSample(mesh, at(69_001, [other, 0])).gone).toEqual([]);
  // One that comes back was not gone.
  expect(addSample(mesh, at(11_000, [one, 10_000], [other, 0])).gone).toEqual([]);
});

test('dashboard: the speed of a pool is that of all its replies, or says that it is of one', () => {
  const inference = samples[0]!.processes.find((one) => one.models)!;
  const worker = (tokensPerSecond?: number, outputTokensPerSecond?: number) => ({
    ...inference,
    models: [{ ...inference.models![0]!, pool: 'local', tokensPerSecond, outputTokensPerSecond }],
  });
  const speed = (...workers: ReturnType<typeof worker>[]) =>
    poolSpeed(workers as MeshSample['processes'], 'local');
  expect(speed(worker(20), worker(20), worker())).toEqual({ tokensPerSecond: 20, isOfOneReply: true });
  expect(speed(worker(20, 60), worker(20, 30))).toEqual({ tokensPerSecond: 90, isOfOneReply: false });
  expect(speed()).toEqual({ tokensPerSecond: 0, isOfOneReply: true });
});

/** An event of the mesh as it would be stored at a place. */
const ofMesh = (sequence: number, type: string, data: object): RecordedEvent => ({
  journal: `yard.event.mesh.${type}`,
  sequence,
  atMs: Date.UTC(2026, 10, 20, 9, 0, sequence),
  event: {
    ...events[0]!.event,
    subject: undefined,
    type: `dev.switchyard.${type}.v1`,
    sender: 'inference',
    data,
  },
});
const untilMs = Date.UTC(2026, 10, 20, 9, 5);
const breaker = (causes: Record<string, number>) => ({
  pool: 'local',
  untilMs,
  trips: 1,
  counts: { failures: 5, successes: 0, causes },
});
const meshStory = [
  ofMesh(1, 'breaker.opened', { ...breaker({ timeout: 5 }), why: '5 of 5 calls failed' }),
  ofMesh(2, 'breaker.half_opened', { ...breaker({}), why: 'its rest is over', probe: 'inference.a' }),
  ofMesh(3, 'breaker.closed', { ...breaker({}), why: 'the probe was answered' }),
  ofMesh(4, 'mesh.crash', {
    process: 'coder.a',
    role: 'coder',
    sign: 'exit',
    why: 'coder.a was ended by SIGKILL',
    untilMs,
  }),
  ofMesh(5, 'mesh.mode', { mode: 'debug', role: 'coder', untilMs }),
  ofMesh(6, 'mesh.made_up', {}),
];

test('dashboard: what happened to the mesh is told newest first, with sign, word and why', () => {
  const yard = after({ do: 'events', events: meshStory, reached: reached(6) });
  const told = meshNotices(yard.meshEvents).map(
    ({ sign, word, spans, details }) =>
      `${sign} ${word}: ${textOf(spans)}${details.map((one) => ` / ${textOf(one)}`).join('')}`,
  );
  expect(told).toEqual([
    'late unknown: an event that this version does not know: mesh.made_up',
    'given mode switched: coder is observed in debug mode / until 09:05:00 UTC',
    'crash crashed: coder.a was ended by SIGKILL / its launcher saw it end; every coder in debug mode until 09:05:00 UTC',
    'done breaker closed: the pool local is back: the probe was answered',
    'waits breaker half-opened: the pool local is probed: its rest is over / probed by inference.a',
    'denied breaker opened: the pool local rests: 5 of 5 calls failed / may be probed at 09:05:00 UTC; failures: 5 timeout',
  ]);
  expect(yard.records.size + yard.touched.size).toBe(0);
  expect(crashWhy(yard.meshEvents, 'coder.a')).toBe('coder.a was ended by SIGKILL');
  expect(crashWhy(yard.meshEvents, 'coder.b')).toBeUndefined();
});

test('dashboard: events of the mesh that were asked for and that came meanwhile are there once, and no more than 200', () => {
  const [first, second, third] = [meshStory.slice(0, 3), meshStory.slice(2, 5), meshStory.slice(4)];
  const yard = after(
    { do: 'events', events: second },
    { do: 'mesh-events', events: first.toReversed() },
    { do: 'events', events: third },
  );
  expect(yard.meshEvents.map((one) => one.sequence)).toEqual([1, 2, 3, 4, 5, 6]);
  const many = Array.from({ length: 250 }, (_, index) => ofMesh(10 + index, 'mesh.mode', { mode: 'debug' }));
  const full = advanceYard(yard, { do: 'events', events: many });
  expect([full.meshEvents.length, full.meshEvents.at(-1)!.sequence]).toEqual([200, 259]);
  expect(advanceYard(full, { do: 'anew' }).meshEvents).toEqual([]);
});

test('dashboard: an address names what is shown, and the demo is asked for by it', () => {
  const places: Place[] = [{ view: 'tasks' }, { view: 'mesh' }, { view: 'task', taskId: 't', tab: 'router' }];
  for (const place of places) expect(placeOf(hashOf(place))).toEqual(place);
  expect(placeOf('#/task/t/nonsense')).toEqual({ view: 'task', taskId: 't', tab: 'waterfall' });
  expect(demoAsked('#demo', '')).toEqual({ steps: 0, search: '?demo' });
  expect(demoAsked('#/task/t', '?demo=5000')).toEqual({ steps: 5000, search: '?demo=5000' });
  expect(demoAsked('#/mesh', '')).toBeUndefined();
});

test('dashboard: a task of thousands of steps is folded once, and says that it is made up', () => {
  const made = generate(events, 5000);
  const record = extend(noRecord(made.taskId), made.events);
  const rows = rowsAt(record.track, record.events.length - 1, new Set());
  expect(rows.length).toBeGreaterThan(5000);
  expect(record.track.nodeOfEvent.filter((id) => id === '')).toEqual([]);
  expect(summaryAt(record, Infinity)!.goal).toContain('Made-up');
  expect(made.tasks).toHaveLength(5000);
  expect(made.tasks.every((one) => one.goal.startsWith('Made'))).toBe(true);
});

test('dashboard: the recording names its scripted replies and no place of the machine it was made on', () => {
  expect(summaryAt(whole, Infinity)!.isScripted).toBe(true);
  const text = JSON.stringify(recorded);
  expect(text).not.toMatch(/\/(tmp|home|root|Users)\//);
  expect(samples.length).toBeGreaterThan(0);
});

test('dashboard: its page in the docs has the keys that the settings list', () => {
  const text = readFileSync(join(root, 'docs/dashboard.md'), 'utf8');
  const [, table] = text.split('| key | what it does |\n| --- | --- |\n');
  expect(table!.split('\n\n')[0]!.split('\n')).toEqual(keys.map(([key, what]) => `| ${key} | ${what} |`));
});
