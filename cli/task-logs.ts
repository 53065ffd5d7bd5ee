import { createReadStream, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { logFilesIn } from '../bus/log-files.ts';

/** A line of a process's log. */
export interface LogLine {
  atMs: number;
  level: number;
  /** The process. */
  name: string;
  text: string;
  /** What belongs to the words. */
  fields: Record<string, unknown>;
}

const isTask = /"task":"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"/;
const usual = ['level', 'time', 'pid', 'hostname', 'name', 'msg'];

/** Reads the logs of a state folder, each from where it was read last; a file that was emptied meanwhile from its start. */
export function openTaskLogs(directory: string) {
  const places = new Map<string, number>();

  /** Lines that came since the last look, in no order between files. */
  async function* linesSince(): AsyncGenerator<string> {
    const isFirst = places.size === 0;
    for (const file of logFilesIn(directory)) {
      // What was put aside was read where it stood before.
      if (!isFirst && !file.endsWith('.log')) continue;
      const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
      const known = places.get(file) ?? 0;
      const start = size < known ? 0 : known;
      places.set(file, size);
      if (size === start) continue;
      const stream = createReadStream(file, { start, end: size - 1, encoding: 'utf8' });
      for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) yield line;
    }
  }

  return {
    /** Tasks that the logs tell of, the youngest first. */
    async tasks(): Promise<{ taskId: string }[]> {
      const firstAtMs = new Map<string, number>();
      for await (const line of linesSince()) {
        const taskId = isTask.exec(line)?.[1];
        const read = taskId === undefined ? undefined : readLine(line);
        if (taskId === undefined || !read) continue;
        firstAtMs.set(taskId, Math.min(firstAtMs.get(taskId) ?? Infinity, read.atMs));
      }
      places.clear();
      return [...firstAtMs].toSorted(([, one], [, other]) => other - one).map(([taskId]) => ({ taskId }));
    },
    /** Lines about a task that came since the last look, in the order of their times. */
    async linesOf(taskId: string): Promise<LogLine[]> {
      const trace = taskId.replaceAll('-', '');
      const found: LogLine[] = [];
      for await (const line of linesSince()) {
        if (!line.includes(taskId) && !line.includes(trace)) continue;
        const read = readLine(line);
        if (read) found.push(read);
      }
      return found.toSorted((one, other) => one.atMs - other.atMs);
    },
  };
}

/** A line as pino writes it; undefined for what is none, such as a line that was cut. */
function readLine(text: string): LogLine | undefined {
  try {
    const line = JSON.parse(text) as Record<string, unknown>;
    if (typeof line['time'] !== 'number') return undefined;
    const fields = Object.fromEntries(Object.entries(line).filter(([name]) => !usual.includes(name)));
    return {
      atMs: line['time'],
      level: Number(line['level']) || 30,
      name: String(line['name'] ?? ''),
      text: String(line['msg'] ?? ''),
      fields,
    };
  } catch {
    return undefined;
  }
}
