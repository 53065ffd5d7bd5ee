import { statfsSync } from 'node:fs';
import { CommandError } from './failure.ts';

const leastFreeBytes = 1_000_000;

/** The error itself, or, where the disk that holds the state folder is full, that as its cause: brokers do not tell. */
export function withFullDisk(error: unknown, stateDirectory: string): unknown {
  if (error instanceof CommandError) return error;
  try {
    const { bavail, bsize } = statfsSync(stateDirectory);
    if (bavail * bsize >= leastFreeBytes) return error;
  } catch {
    return error;
  }
  const what = error instanceof Error ? error.message : String(error);
  return new CommandError(
    `the disk that holds ${stateDirectory} is full, so that nothing can be stored (${what})`,
    'make room there and try again; nothing that was accepted is lost',
  );
}
