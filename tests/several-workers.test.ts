import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readPublicKeys } from '../bus/credentials.ts';
import type { Child } from '../bus/launcher.ts';
import type { PoolView } from '../cli/status-pools.ts';
import { fetchLlama, tinyModel } from '../gpu-worker/engine-for-tests.ts';
import { openCaller, type Caller, type CallRecord } from './model-calls.ts';
import { violations } from './oracle.ts';
import { startOpenAiServer, type OpenAiServer } from './openai-server.ts';
import { tinyShape } from './tiny-model.ts';
import { environmentOf, eventually, startBare, type BareProcess } from './yard-parts.ts';
import { namespace, openYard, streams, type Yard } from './yard.ts';
import { builtProgram } from './built-program.ts';

// Real llama.cpp in processes of their own, several of one pool and one of another; one mesh, used from top to bottom.
const model = tinyModel({ shape: { ...tinyShape, contextTokens: 65_536 }, isEndless: true });
/** It would take minutes. */
const endless = 60_000;
let yard: Yard;
let caller: Caller;
let first: Child;
let second: Child;
let other: Child;
const asked: string[] = [];
let server: OpenAiServer;
const inferences: BareProcess[] = [];

beforeAll(async () => {
  fetchLlama();
  const noise = {
    backend: 'llama',
    file: model.file,
    pool: 'noise',
    slots: 2,
    threads: 1,
    contextTokens: 65_536,
    maxTokens: endless,
  } as const;
  server = await startOpenAiServer({ behave: () => ({ kind: 'reply', content: 'ready' }) });
  const open = { backend: 'openai', pool: 'mixed', url: server.url } as const;
  const keyed = { ...open, apiKeyVariable: 'TEST_MODEL_KEY' };
  yard = await openYard({
    processes: {},
    pools: ['noise', 'hum', 'mixed'],
    // What a worker leaves behind comes to another at once, not when its lease is over.
    leaseMs: 60_000,
    overrides: {
      models: { noise, hum: { ...noise, pool: 'hum' }, open, keyed },
      roles: { coder: ['noise', 'hum'] },
    },
  });
  [first, second, other] = await Promise.all([start('noise'), start('noise'), start('hum')]);
  caller = await openCaller(yard, (pool) => pool);
});
afterAll(async () => {
  for (const one of inferences) one.kill('SIGKILL');
  await yard?.stop();
  await server?.close();
  model.remove();
});

const start = (name: string): Promise<Child> => yard.launcher.start('gpu-worker', ['--model', name]);

async function ask(pool: string, count: number, maxTokens: number): Promise<string[]> {
  const callIds = await Promise.all(Array.from({ length: count }, () => caller.ask(pool, { maxTokens })));
  asked.push(...callIds);
  return callIds;
}

const isTaken = (call: CallRecord) => call.takenBy.length > 0;
const isOver = (call: CallRecord) => call.ends.length > 0;
/** How many of the calls each worker took. */
function shares(calls: CallRecord[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const process of calls.flatMap((call) => call.takenBy)) counts[process] = (counts[process] ?? 0) + 1;
  return counts;
}

/** Waits until so many slots of the pool ask for a call. */
const allFree = (slots: number) =>
  eventually(
    async () => (await yard.admin.manager.consumers.info(streams.inbox, 'pool-noise')).num_waiting === slots,
    `${slots} slots to be free`,
  );

/** Watches `switchyard status` until it shows pools that fit, then ends it as Ctrl-C does. */
async function watchPools(fits: (pools: PoolView[]) => boolean): Promise<PoolView[]> {
  const words = ['status', '--watch', '--every', '500ms', '--json'];
  const child = spawn(process.execPath, [builtProgram('cli/main.ts'), ...words], {
    cwd: yard.area,
    env: { PATH: process.env['PATH'], HOME: yard.area, SWITCHYARD_STATE: yard.stateDirectory },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const limit = setTimeout(() => child.kill('SIGKILL'), 60_000);
  let seen: PoolView[] | undefined;
  let last = '';
  for await (const line of createInterface({ input: child.stdout })) {
    last = line;
    const { pools } = JSON.parse(line) as { pools?: PoolView[] };
    if (seen || !pools || !fits(pools)) continue;
    seen = pools;
    child.kill('SIGINT');
  }
  expect(await ended).toEqual([0, null]);
  clearTimeout(limit);
  expect(JSON.parse(last)).toMatchObject({ result: { pools: expect.any(Array) as unknown } });
  return seen!;
}

test('several workers: calls are shared by free slots, status shows it live, and one that is added takes its share at once', async () => {
  // They are called off below: until then no slot of the two is free.
  const long = await ask('noise', 4, endless);
  const [humming] = await ask('hum', 1, endless);
  const taken = await caller.until([...long, humming!], isTaken, 'the calls to be taken');
  expect(shares(taken)).toEqual({ [first.process!]: 2, [second.process!]: 2, [other.process!]: 1 });

  const waiting = await ask('noise', 2, 32);
  // What a worker does is told by heartbeats, one every two seconds.
  const busy = ['hum', 'noise'];
  const shown = await watchPools((all) =>
    all
      .filter((one) => busy.includes(one.pool))
      .every((one) => one.tokensPerSecond > 0 && one.freeSlots === (one.pool === 'hum' ? 1 : 0)),
  );
  const [hum, noise] = busy.map((name) => shown.find((one) => one.pool === name)!);
  expect(noise).toMatchObject({ pool: 'noise', waiting: 2, inHand: 4, slots: 4, freeSlots: 0 });
  expect(noise!.breaker.phase).toBe('closed');
  expect(noise!.workers.map((one) => one.process)).toEqual([first.process!, second.process!].toSorted());
  expect(noise!.workers[0]).toMatchObject({
    model: 'noise',
    quantisation: 'F32',
    contextTokens: 65_536,
    slots: 2,
    freeSlots: 0,
    threads: 1,
  });
  expect(hum).toMatchObject({ waiting: 0, inHand: 1, slots: 2, freeSlots: 1 });
  expect(hum!.workers).toHaveLength(1);

  const third = await start('noise');
  const served = await caller.until(waiting, isOver, 'the calls that waited to be answered');
  expect(shares(served)).toEqual({ [third.process!]: 2 });
  expect((await caller.read([...long, humming!])).flatMap((call) => call.ends)).toEqual([]);

  await Promise.all([...long, humming!].map((callId) => caller.cancel(callId)));
  await caller.until([...long, humming!], isOver, 'the long calls to be called off');
  await allFree(6);
  const next = await ask('noise', 3, 2000);
  expect(Object.values(shares(await caller.until(next, isTaken, 'the next three to be taken')))).toEqual([
    1, 1, 1,
  ]);
  await caller.until(next, isOver, 'the next three to be answered');
});

test('several workers: one whose native code dies in the middle of a reply loses nothing, and its calls go on at another at once', async () => {
  await allFree(6);
  const before = yard.launcher.children().filter((child) => child.process !== other.process);
  const speaking = new Set<string>();
  const stopListening = yard.client.live(caller.taskId, (kind, { callId }) => {
    if (kind === 'text') speaking.add(String(callId));
  });
  // Half of the slots stay free: whatever the dead one leaves finds a hand.
  const callIds = await ask('noise', 3, 2000);
  const isSpeaking = (call: CallRecord) => speaking.has(call.callId) && call.ends.length === 0;
  const victim = await eventually(
    async () => (speaking.size > 0 ? (await caller.read(callIds)).find(isSpeaking) : undefined),
    'a first word',
  );
  stopListening();
  const dead = before.find((child) => child.process === victim.takenBy[0])!;
  const others = before.filter((child) => child !== dead).map((child) => child.process);
  dead.kill('SIGSEGV');

  const ended = await caller.until(callIds, isOver, 'all calls to be answered');
  for (const call of ended) {
    expect(call.ends).toEqual(['call.completed']);
    const wasLost = call.takenBy[0] === dead.process;
    expect(call.lostBy).toEqual(wasLost ? [dead.process] : []);
    if (wasLost) expect(others).toContain(call.takenBy[1]);
    // What the dead one may have used is counted once, as waste.
    const { reply, costMicroDollars } = call.completed!;
    expect(costMicroDollars).toBe(
      reply.inputTokens + 2 * reply.outputTokens + (wasLost ? call.worstCaseMicroDollars : 0),
    );
  }
  expect(ended.filter((call) => call.lostBy.length > 0).length).toBeGreaterThan(0);
  expect(yard.deaths).toMatchObject([{ role: 'gpu-worker', how: 'was killed by SIGSEGV' }]);
  // It is replaced, and the pool has three again.
  await allFree(6);
});

test('several workers: one that is slow gets fewer calls', async () => {
  const workers = yard.launcher.children().filter((child) => child.process !== other.process);
  await allFree(6);
  const slow = workers.find((child) => child.process === second.process) ?? workers[0]!;
  // It runs a fifth of the time, as on a machine that others keep busy.
  let pulse: NodeJS.Timeout;
  const hold = () => {
    slow.kill('SIGSTOP');
    pulse = setTimeout(release, 400);
  };
  const release = () => {
    slow.kill('SIGCONT');
    pulse = setTimeout(hold, 100);
  };
  hold();
  try {
    const all: string[] = [];
    const stream = async () => {
      for (let turn = 0; turn < 6; turn++) {
        const [callId] = await ask('noise', 1, 200);
        all.push(callId!);
        await caller.until([callId!], isOver, 'an answer');
      }
    };
    // Three at a time, one for each worker, until all are answered.
    await Promise.all([stream(), stream(), stream()]);
    const counts = shares(await caller.read(all));
    const ofSlow = counts[slow.process!] ?? 0;
    for (const { process } of workers)
      if (process !== slow.process) expect(counts[process!]).toBeGreaterThan(ofSlow);
  } finally {
    clearTimeout(pulse!);
    slow.kill('SIGCONT');
  }
});

test('several workers: what one of a pool cannot ask, for want of a key, is left to the one that can', async () => {
  const start = async (name: string, key?: string) => {
    const log = join(yard.area, 'logs', `${name}.log`);
    const more = key === undefined ? {} : { TEST_MODEL_KEY: key };
    const started = startBare('inference', yard.stateDirectory, log, {
      ...environmentOf(undefined, undefined),
      ...more,
    });
    inferences.push(started);
    return { started, process: await started.ready };
  };
  const without = await start('without-key');
  const beyond = { maxTokens: 64, model: 'keyed' };
  const refused = await caller.ask('mixed', beyond);
  const [failed] = await caller.until([refused], isOver, 'a refusal');
  expect(failed).toMatchObject({ takenBy: [], ends: ['call.failed'] });

  const withKey = await start('with-key', 'the key');
  const callIds = await Promise.all(Array.from({ length: 4 }, () => caller.ask('mixed', beyond)));
  const open = await caller.ask('mixed', { model: 'open' });
  for (const call of await caller.until(callIds, isOver, 'their answers'))
    expect(call).toMatchObject({ takenBy: [withKey.process], ends: ['call.completed'] });
  asked.push(refused, open, ...callIds);
  const [answered] = await caller.until([open], isOver, 'an answer');
  expect(answered).toMatchObject({ ends: ['call.completed'] });
  expect([without.process, withKey.process]).toContain(answered!.takenBy[0]);
});

test('several workers: the record has every call once, as the contract wants it', async () => {
  const calls = await caller.read(asked);
  expect(calls.filter((call) => call.ends.length !== 1)).toEqual([]);
  const keys = await readPublicKeys(yard.stateDirectory);
  expect(violations(await yard.client.readRaw(caller.taskId), namespace, keys)).toEqual([]);
  expect(await yard.client.deadLetters()).toEqual([]);
});
