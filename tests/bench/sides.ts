import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { checkoutRoot } from '../../config/state.ts';
import type { DataOf } from '../../schemas/catalogue.ts';
import { shortType, type Envelope } from '../../schemas/envelope.ts';
import { openCaller } from '../model-calls.ts';
import { namespace, openYard } from '../yard.ts';
import type { RawJob, RawResult, RawSettings } from '../../gpu-worker/raw-for-bench.ts';

/** What is asked of a side: one reply for each prompt, all at a time. */
export type Job = RawJob;
export interface Result extends RawResult {
  /** Processor time of the process that holds the model: what others do on the machine hardly changes it. */
  processorMs: number;
}

/** One of the two that are compared; both have the model loaded, in a process of its own. */
export interface Side {
  run(job: Job): Promise<Result>;
  /** Resident, in bytes, of the process that holds the model. */
  memoryBytes(): number;
  close(): Promise<void>;
}

const residentBytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;

const tickMs = 10;
/** Of all threads, since the start. */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}

async function withProcessorTime(pid: number, work: () => Promise<RawResult>): Promise<Result> {
  const before = processorMs(pid);
  const result = await work();
  return { ...result, processorMs: processorMs(pid) - before };
}

/** The prompt of the mesh's messages as the random model's template writes it, so that both sides read the same tokens. */
const written = (prompt: string) => `<|user|>${prompt}<|end|><|assistant|><|answer|>`;

export async function openRaw(settings: RawSettings): Promise<Side> {
  const child = fork(join(checkoutRoot, 'gpu-worker', 'raw-for-bench.ts'), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const answer = async (message: object): Promise<unknown> => {
    child.send(message);
    return ((await once(child, 'message')) as unknown[])[0];
  };
  await answer(settings);
  return {
    run: (job) =>
      withProcessorTime(
        child.pid!,
        async () => (await answer({ ...job, prompts: job.prompts.map(written) })) as RawResult,
      ),
    memoryBytes: () => residentBytes(child.pid!),
    async close() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

export interface MeshSettings extends RawSettings {
  durability: 'power' | 'process';
}

/** A mesh with one gpu-worker, asked by the contract as a coder asks: what it says is heard as a person hears it. */
export async function openMesh(settings: MeshSettings): Promise<Side> {
  const { file, slots, contextTokens, threads, durability } = settings;
  const yard = await openYard({
    processes: {},
    pools: ['bench'],
    durability,
    leaseMs: 60_000,
    overrides: {
      models: {
        bench: {
          backend: 'llama',
          file,
          pool: 'bench',
          slots,
          contextTokens,
          maxTokens: Math.floor(contextTokens / 2),
          // Given, they would leave it unbound.
          ...(settings.isPinned ? {} : { threads }),
          ...(settings.isOnCard ? {} : { gpuLayers: 0 }),
        },
      },
      roles: { coder: ['bench'] },
    },
  });
  const worker = await yard.launcher.start('gpu-worker', ['--model', 'bench']);
  const caller = await openCaller(yard, () => 'bench');
  const firstTextAt = new Map<string, number>();
  const endedAt = new Map<string, { atMs: number; outputTokens: number }>();
  let heard = () => {};
  yard.client.live(caller.taskId, (kind, { callId }) => {
    if (kind === 'text' && !firstTextAt.has(String(callId)))
      firstTextAt.set(String(callId), performance.now());
  });
  // Every append is a message on its journal's subject too.
  yard.client.bus.connection.subscribe(`${namespace}.event.${caller.taskId}.call.*`, {
    callback(error, message) {
      if (error) return;
      const event = message.json<Envelope>();
      const type = shortType(event.type);
      if (type === 'call.failed') throw new Error(`a call failed: ${JSON.stringify(event.data)}`);
      if (type !== 'call.completed') return;
      const { callId, reply } = event.data as DataOf<'call.completed'>;
      endedAt.set(callId, { atMs: performance.now(), outputTokens: reply.outputTokens });
      heard();
    },
  });
  await yard.client.bus.connection.flush();
  async function run({ prompts, maxTokens, schema }: Job): Promise<RawResult> {
    const startedAt = performance.now();
    const calls = await Promise.all(
      prompts.map(async (content) => {
        const askedAt = performance.now();
        const callId = await caller.ask('bench', {
          messages: [{ role: 'user', content }],
          maxTokens,
          ...(schema ? { schema: { name: 'decision', schema: schema as Record<string, unknown> } } : {}),
        });
        return { callId, askedAt };
      }),
    );
    while (!calls.every(({ callId }) => endedAt.has(callId)))
      await new Promise<void>((resolve) => void (heard = resolve));
    const ends = calls.map(({ callId }) => endedAt.get(callId)!);
    return {
      wallMs: Math.max(...ends.map((one) => one.atMs)) - startedAt,
      outputTokens: ends.reduce((sum, one) => sum + one.outputTokens, 0),
      firstTextMs: calls.map(
        ({ callId, askedAt }) => (firstTextAt.get(callId) ?? endedAt.get(callId)!.atMs) - askedAt,
      ),
    };
  }

  return {
    run: (job) => withProcessorTime(worker.pid, () => run(job)),
    memoryBytes: () => residentBytes(worker.pid),
    close: () => yard.stop(),
  };
}
