import { execFile } from 'node:child_process';
import type { Loaded } from './load.ts';
import type { Slots } from './slots.ts';

/** How a worker does. */
export interface Figures {
  slots: number;
  freeSlots: number;
  queued: number;
  /** Over all slots, in the last ten seconds. */
  tokensPerSecond: number;
  /** Of this process. */
  memoryBytes: number;
  gpuMemoryBytes?: number;
  /** Percent. */
  gpuUtilisation?: number;
  threads: number;
  /** Since the start: tokens of prompts, those of them that had to be computed, and tokens written. */
  promptTokens: number;
  evaluatedPromptTokens: number;
  outputTokens: number;
}

const windowSeconds = 10;
const gpuEveryMs = 5000;

/** Counts what a worker does; asks the card now and then where there is one. */
export function openFigures(loaded: Loaded, slots: Slots) {
  const bySecond = new Map<number, number>();
  const total = { promptTokens: 0, evaluatedPromptTokens: 0, outputTokens: 0 };
  let card: Pick<Figures, 'gpuMemoryBytes' | 'gpuUtilisation'> = {};
  const isOnCard = loaded.card !== undefined;
  const askCard = async () => {
    const { used } = await loaded.llama.getVramState();
    // Not every driver tells.
    card = { ...(used > 0 && { gpuMemoryBytes: used }), ...(await cardUtilisation()) };
  };
  const asking = isOnCard ? setInterval(() => void askCard().catch(() => {}), gpuEveryMs) : undefined;
  asking?.unref();
  if (isOnCard) void askCard().catch(() => {});
  const secondNow = () => Math.floor(performance.now() / 1000);
  return {
    wrote(): void {
      total.outputTokens += 1;
      const second = secondNow();
      bySecond.set(second, (bySecond.get(second) ?? 0) + 1);
      for (const old of bySecond.keys()) {
        if (old > second - windowSeconds) break;
        bySecond.delete(old);
      }
    },
    read(promptTokens: number, evaluated: number): void {
      total.promptTokens += promptTokens;
      total.evaluatedPromptTokens += evaluated;
    },
    now(): Figures {
      const since = secondNow() - windowSeconds;
      const recent = [...bySecond].filter(([second]) => second > since);
      const tokens = recent.reduce((sum, [, count]) => sum + count, 0);
      return {
        slots: loaded.slots,
        freeSlots: slots.free(),
        queued: slots.queued(),
        tokensPerSecond: Math.round((tokens / windowSeconds) * 10) / 10,
        memoryBytes: process.memoryUsage.rss(),
        ...card,
        threads: loaded.threads,
        ...total,
      };
    },
    stop(): void {
      clearInterval(asking);
    },
  };
}

/** Utilisation of the busiest card as NVIDIA's own program tells it; nothing where that is not there. */
function cardUtilisation(): Promise<Pick<Figures, 'gpuUtilisation'>> {
  return new Promise((resolve) => {
    const query = ['--query-gpu=utilization.gpu', '--format=csv,noheader,nounits'];
    execFile('nvidia-smi', query, { timeout: 3000 }, (error, output) => {
      const numbers = output.split('\n').map(Number).filter(Number.isFinite);
      resolve(error || numbers.length === 0 ? {} : { gpuUtilisation: Math.max(...numbers) });
    });
  });
}
