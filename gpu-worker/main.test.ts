import { readdirSync, readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Kvm } from '@nats-io/kv';
import type { Heartbeat } from '../bus/registry.ts';
import { builtProgram } from '../tests/built-program.ts';
import { registryBucket } from '../schemas/permissions.ts';
import { namespace, openYard, type Yard } from '../tests/yard.ts';
import { eventually } from '../tests/yard-parts.ts';
import { fetchLlama, tinyModel } from './engine-for-tests.ts';
import { allowedCpus } from './threads.ts';

// One mesh, used from top to bottom.
const model = tinyModel();
let yard: Yard;

beforeAll(async () => {
  fetchLlama();
  const noise = {
    backend: 'llama',
    file: model.file,
    pool: 'noise',
    slots: 2,
    threads: 1,
    contextTokens: 8192,
    maxTokens: 256,
  } as const;
  yard = await openYard({
    processes: { manager: 1, router: 1, coder: 1 },
    pools: ['noise'],
    overrides: { models: { noise }, roles: { coder: ['noise'] } },
  });
});
afterAll(async () => {
  await yard?.stop();
  model.remove();
});

async function heartbeats(): Promise<Heartbeat[]> {
  const bucket = await new Kvm(yard.admin.jetstream).open(registryBucket(namespace));
  const living: Heartbeat[] = [];
  for await (const key of await bucket.keys()) {
    const entry = await bucket.get(key);
    if (entry?.operation === 'PUT') living.push(entry.json<Heartbeat>());
  }
  return living;
}

test('gpu-worker: says what it serves and how it does, and answers what a coder asks', async () => {
  const child = await yard.launcher.start('gpu-worker', ['--model', 'noise']);
  const told = await eventually(
    async () => (await heartbeats()).find((one) => one.process === child.process)?.models?.[0],
    'its heartbeat',
  );
  expect(told).toMatchObject({
    name: 'noise',
    pool: 'noise',
    backend: 'llama',
    quantisation: 'F32',
    contextTokens: 8192,
    maxTokens: 256,
    slots: 2,
    freeSlots: 2,
    queued: 0,
    threads: 1,
    capabilities: expect.arrayContaining(['tools', 'json-schema', 'embeddings']) as unknown,
  });
  expect(told.memoryBytes).toBeGreaterThan(50_000_000);

  const taskId = await yard.submit();
  const answered = await yard.until(taskId, (_, type) => type === 'call.completed' || type === 'call.failed');
  expect(answered.event.data).toMatchObject({ backend: 'llama', model: 'noise' });
  await yard.client.request('task.cancel', { taskId, reason: 'enough noise' });
});

test('gpu-worker: one that a signal kills, as native code dies, is replaced and answers again', async () => {
  const before = yard.launcher.children().find((child) => child.program === 'gpu-worker')!;
  before.kill('SIGSEGV');
  const after = await eventually(
    async () =>
      yard.launcher
        .children()
        .find((child) => child.program === 'gpu-worker' && child.process && child.pid !== before.pid),
    'another worker',
  );
  expect(readFileSync(after.logFile, 'utf8')).toContain('the model is loaded');
  const taskId = await yard.submit();
  const answered = await yard.until(taskId, (_, type) => type === 'call.completed' || type === 'call.failed');
  expect(answered.event.data).toMatchObject({ backend: 'llama' });
  await yard.client.request('task.cancel', { taskId, reason: 'enough noise' });
});

test.each([
  [['--model', 'scripted'], /the model scripted is of the backend scripted/],
  [['--model', 'nois'], /--model nois is no model.*did you mean "noise"/],
  [['--model', 'FILE', '--slots', '0'], /--slots: found 0; accepted: a whole number from 1 to 256/],
  [['--model', '/none/such.gguf'], /\/none\/such\.gguf is not there/],
])('gpu-worker: %j is refused with exit code 2, which needs no second try', (given, says) => {
  const args = given.map((one) => (one === 'FILE' ? model.file : one));
  const main = builtProgram('gpu-worker/main.ts');
  const ended = spawnSync(process.execPath, [main, '--state', yard.stateDirectory, ...args], {
    encoding: 'utf8',
  });
  expect(ended.stderr).toMatch(says);
  expect(ended.status).toBe(2);
});

test('gpu-worker: it is bound to the processors it is told, and one whose pool has workers with another model is refused, whatever the configuration says', async () => {
  const last = allowedCpus()?.at(-1);
  const bound = last === undefined ? [] : ['--cpus', String(last)];
  const one = await yard.launcher.start('gpu-worker', ['--model', model.file, '--pool', 'spare', ...bound]);
  // On a system that tells, it is seen on the way that it computes where it was told to, with all its threads.
  const threads = last === undefined ? [] : readdirSync(`/proc/${one.pid}/task`);
  for (const thread of threads)
    expect(readFileSync(`/proc/${one.pid}/task/${thread}/status`, 'utf8')).toMatch(
      new RegExp(`^Cpus_allowed_list:\\s*${last}$`, 'm'),
    );
  const args = ['--model', model.file, '--pool', 'spare', '--name', 'other'];
  await expect(yard.launcher.start('gpu-worker', args)).rejects.toThrow(
    /a worker of this mesh serves noise in the pool spare, and a pool of gpu-workers has one model/,
  );
});
