import { writeSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { censor, censorText } from '../schemas/secrets.ts';

/**
 * The ground of every process, preloaded with `--import` and imported by no one. So far it does one thing: an error
 * that nobody caught ends the process with one censored line (JSON as of the log; on a terminal its stack) instead of
 * Node's own words, which may hold a secret. Spans are not exported yet: each event carries its trace context, so an
 * exporter can make them from the journals at any time.
 */
const [, file = '', argument = ''] = process.argv;
const room = basename(dirname(file));
/** `agents/main.ts coder` is a coder, `router/main.ts` a router, `cli/main.ts up` is up. */
const name = room === 'agents' || room === 'cli' ? argument : room;

function crashLine(error: unknown): string {
  if (process.stderr.isTTY)
    return `switchyard: ${censorText(error instanceof Error ? (error.stack ?? error.message) : String(error))}\n`;
  const line = {
    level: 60,
    time: Date.now(),
    pid: process.pid,
    name,
    error,
    msg: `an error that nobody caught ended this process: ${error instanceof Error ? error.message : String(error)}`,
  };
  return `${JSON.stringify(censor(line))}\n`;
}

// A worker's error goes to the thread that started it.
if (isMainThread) {
  // A rejection that nobody handles comes here too.
  process.on('uncaughtException', (error: unknown) => {
    try {
      writeSync(2, crashLine(error));
    } finally {
      process.exit(1);
    }
  });
}
