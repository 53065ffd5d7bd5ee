import { readdirSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Heartbeat } from './registry.ts';

/** What any process can say of itself, whatever it does. */
export type OwnLoad = Pick<
  Heartbeat,
  'host' | 'pid' | 'memoryBytes' | 'cpuPercent' | 'threads' | 'startedAtMs' | 'atMs'
>;

/** Returns what says how this process is; the processor's share is of the time since it was asked last. */
export function openOwnLoad(): () => OwnLoad {
  const startedAtMs = Date.now();
  const cpuPercent = openCpuMeter();
  return () => ({
    host: hostname(),
    pid: process.pid,
    memoryBytes: process.memoryUsage.rss(),
    cpuPercent: cpuPercent(),
    threads: threadCount(),
    startedAtMs,
    atMs: Date.now(),
  });
}

/** Percent of one processor that this process used since it was asked last. */
function openCpuMeter(): () => number {
  let used = process.cpuUsage();
  let atMs = performance.now();
  return () => {
    const spent = process.cpuUsage(used);
    const wallMs = Math.max(1, performance.now() - atMs);
    used = process.cpuUsage();
    atMs = performance.now();
    return Math.round((spent.user + spent.system) / 10 / wallMs);
  };
}

/** Threads of this process as the system counts them; 1 where it does not say. */
function threadCount(): number {
  try {
    return readdirSync('/proc/self/task').length;
  } catch {
    return 1;
  }
}
