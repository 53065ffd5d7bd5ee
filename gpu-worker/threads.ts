import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Threads for one of `workers` of a machine: together they leave a core to everybody else. */
export function standardThreads(workers = 1, cores = availableParallelism()): number {
  return Math.max(1, Math.floor((cores - 1) / Math.max(1, workers)));
}

/** Numbers out of a list as Linux writes it, such as `0-3,8`. */
export function readCpuList(text: string): number[] {
  return text
    .trim()
    .split(',')
    .filter((part) => part !== '')
    .flatMap((part) => {
      const [from = 0, to = from] = part.split('-').map(Number);
      return Array.from({ length: to - from + 1 }, (_, place) => from + place);
    });
}

/** The processors that this process may use; undefined where the system does not tell. */
function allowedCpus(): number[] | undefined {
  try {
    const found = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    return found ? readCpuList(found[1]!) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Binds this process and all its threads to processors: to `cpus`, or to all it may use but the first, which is left to
 * the others. Needs no rights beyond the process's own. Returns what it is bound to, or why it is not.
 */
export function pin(cpus?: number[]): { cpus: number[] } | { problem: string } {
  const allowed = allowedCpus();
  if (!allowed) return { problem: 'this system does not tell which processors a process may use' };
  const chosen = cpus ?? (allowed.length > 1 ? allowed.slice(1) : allowed);
  const done = spawnSync('taskset', ['-a', '-c', '-p', chosen.join(','), String(process.pid)], {
    encoding: 'utf8',
  });
  if (done.error) return { problem: 'the program taskset (package util-linux) is not there' };
  if (done.status !== 0) return { problem: done.stderr.trim() || `taskset ended with ${done.status}` };
  return { cpus: chosen };
}
