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
export function allowedCpus(): number[] | undefined {
  try {
    const found = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    return found ? readCpuList(found[1]!) : undefined;
  } catch {
    return undefined;
  }
}

/** Where one of several gpu-workers of a machine computes; without a place, on all that they share. */
export interface Share {
  workers: number;
  place?: number | undefined;
}

/** Of the processors that a process may use all but the first, which is left to the others, or a worker's part of them. */
export function cpusOf(allowed: number[], { workers, place }: Share): number[] {
  if (allowed.length < 2) return allowed;
  const shared = allowed.slice(1);
  const each = standardThreads(workers, allowed.length);
  const own = place === undefined ? [] : shared.slice(place * each, (place + 1) * each);
  return own.length < each ? shared : own;
}

/**
 * Binds this process and all its threads to processors: those given, or its share. Needs no rights beyond the process's
 * own. Returns what it is bound to, or why it is not.
 */
export function pin(to: number[] | Share = { workers: 1 }): { cpus: number[] } | { problem: string } {
  const allowed = allowedCpus();
  if (!allowed) return { problem: 'this system does not tell which processors a process may use' };
  const chosen = Array.isArray(to) ? to : cpusOf(allowed, to);
  const done = spawnSync('taskset', ['-a', '-c', '-p', chosen.join(','), String(process.pid)], {
    encoding: 'utf8',
  });
  if (done.error) return { problem: 'the program taskset (package util-linux) is not there' };
  if (done.status !== 0) return { problem: done.stderr.trim() || `taskset ended with ${done.status}` };
  return { cpus: chosen };
}
