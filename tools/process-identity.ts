import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * A name for a running process that no later process bears: host, process id and start time (clock ticks since
 * boot where the system tells them). Only letters, digits, `-` and `~`, so that it can be part of a file's name.
 */
export function processIdentity(pid: number = process.pid): string {
  return `${plain(hostname())}~${pid}~${startTime(pid) ?? 0}`;
}

/**
 * Whether the process of that name has ended. A process of another host is never taken for dead.
 *
 * @returns false also where the text is no such name.
 */
export function isDead(identity: string): boolean {
  const [host, pidText, start] = identity.split('~');
  const pid = Number(pidText);
  if (host !== plain(hostname()) || !Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM means that it lives and is somebody else's.
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
  return start !== '0' && startTime(pid) !== start;
}

function startTime(pid: number): string | undefined {
  try {
    // The program's name, in parentheses, may hold spaces: count the fields after it; the start time is the 22nd.
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

const plain = (text: string): string => text.replaceAll(/[^A-Za-z0-9-]/g, '-');
