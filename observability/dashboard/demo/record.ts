import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Records a real run of the demo for the page's demo mode: `node observability/dashboard/demo/record.ts`. What it writes
 * is what the mesh said, but for the path of the folder that it ran in.
 */
const root = join(import.meta.dirname, '../../..');
const target = join(import.meta.dirname, 'recording.gen.json');
const state = mkdtempSync(join(tmpdir(), 'switchyard-recording-'));
const sampleMs = 700;

/** Runs the command and resolves with what it said on standard output. */
function switchyard(...args: string[]): Promise<string> {
  const child = spawn(process.execPath, [join(root, 'cli/main.ts'), '--state', state, '--json', ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (said += text));
  return new Promise((resolve) => child.on('close', () => resolve(said)));
}

interface Status {
  processes: Record<string, unknown>[];
  backlogs: unknown[];
}

const samples: unknown[] = [];
let isOver = false;
async function sample(): Promise<void> {
  while (!isOver) {
    try {
      const { processes, backlogs } = JSON.parse(await switchyard('status')) as Status;
      const pools = [...new Set(processes.flatMap((one) => one['pools'] as string[]))].map((pool) =>
        poolOf(pool, processes),
      );
      if (processes.length > 0) samples.push({ atMs: Date.now(), processes, pools, queues: backlogs });
    } catch {
      // The mesh is not up yet, or no longer.
    }
    await new Promise((resolve) => setTimeout(resolve, sampleMs));
  }
}

function poolOf(pool: string, processes: Record<string, unknown>[]): unknown {
  const serving = processes.filter((one) => (one['pools'] as string[]).includes(pool));
  const sum = (name: string) => serving.reduce((total, one) => total + Number(one[name]), 0);
  return {
    pool,
    workers: serving.map((one) => one['process']),
    slots: sum('slots'),
    freeSlots: sum('slots') - sum('busySlots'),
    waiting: 0,
    inHand: sum('busySlots'),
    models: [pool],
    breaker: { phase: 'closed', why: '', sinceMs: 0, untilMs: 0, trips: 0 },
  };
}

const sampling = sample();
const lines = (await switchyard('up', '--demo', '--once')).trim().split('\n');
isOver = true;
await sampling;
const events = lines
  .map((line) => JSON.parse(line) as Record<string, unknown>)
  .filter((one) => 'event' in one);
const about = `${events.length} events of a real run of the demo on ${new Date().toISOString().slice(0, 10)}; its model replies are scripted`;
const row = (list: unknown[]) => list.map((one) => JSON.stringify(one)).join(',\n');
const text = `{"about":${JSON.stringify(about)},\n"events":[\n${row(events)}\n],\n"samples":[\n${row(samples)}\n]}\n`;
const host = new RegExp(`"host":"[^"]*"`, 'g');
writeFileSync(target, text.replaceAll(state, '.switchyard').replaceAll(host, '"host":"this machine"'));
rmSync(state, { recursive: true, force: true, maxRetries: 5 });
process.stdout.write(`${about}, ${samples.length} samples of the mesh\n`);
