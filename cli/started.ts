import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Launcher, Program } from '../bus/launcher.ts';
import { identifyProcess, isRunning } from '../bus/process-identity.ts';
import { writePrivateFile } from '../config/private-file.ts';

/** What `start` says of itself, for `healthy`. */
export interface Started {
  host: string;
  pid: number;
  startedAt: string;
  program: Program;
  url: string;
  /** Instance ids of the processes that it keeps; empty while one is being replaced. */
  processes: string[];
}

const folderOf = (stateDirectory: string) => join(stateDirectory, 'started');
const lookMs = 500;

/** Says which processes this one keeps, and keeps saying it as they are replaced; the result ends that. */
export function tellStarted(
  stateDirectory: string,
  what: { program: Program; url: string },
  launcher: Pick<Launcher, 'children'>,
): () => void {
  const file = join(folderOf(stateDirectory), `${hostname()}-${process.pid}.json`);
  const startedAt = identifyProcess(process.pid)?.startedAt ?? '';
  let said = '';
  const tell = () => {
    const processes = launcher.children().flatMap((child) => child.process ?? []);
    const started: Started = { host: hostname(), pid: process.pid, startedAt, ...what, processes };
    const text = `${JSON.stringify(started)}\n`;
    if (text === said) return;
    try {
      writePrivateFile(file, text);
      said = text;
    } catch {
      // A full disk; it is tried again.
    }
  };
  tell();
  const telling = setInterval(tell, lookMs);
  return () => {
    clearInterval(telling);
    rmSync(file, { force: true });
  };
}

/** What was started on this host with this folder and still runs. */
export function readStarted(stateDirectory: string): Started[] {
  return namesIn(folderOf(stateDirectory)).flatMap((name) => {
    if (!name.endsWith('.json')) return [];
    try {
      const started = JSON.parse(readFileSync(join(folderOf(stateDirectory), name), 'utf8')) as Started;
      // Containers may share a folder; each has a host name of its own.
      return started.host === hostname() && isRunning(started) ? [started] : [];
    } catch {
      // Taken away meanwhile.
      return [];
    }
  });
}

/** Nothing is made by looking: where nothing was started there is no such folder. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw failure;
  }
}
