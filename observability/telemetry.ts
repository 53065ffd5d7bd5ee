import { writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { censor, censorText } from '../schemas/secrets.ts';
import { offerTelemetry, type Gauge, type TelemetryPort } from '../schemas/telemetry.ts';
import type { DebugExport } from './debug-export.ts';

/**
 * The ground of every process, preloaded with `--import` and imported by no one. An error that nobody caught ends the
 * process with one censored line (JSON as of the log; on a terminal its stack) instead of Node's own words, which may hold
 * a secret. And it offers the process a port for logs and metrics: nothing of OpenTelemetry is loaded before the process
 * is told to let them out. Spans are not made here: they follow from the record.
 */
const [, file = '', argument = ''] = process.argv;
/** Of `agents/manager/main.ts`, and of what setup/programs.mjs makes of it, `agents.manager.main.mjs`: manager. */
const room = file.split(/[/\\.]/).at(-3);
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

/** What is said and counted until the export is open, and no more. */
const mostEarly = 2000;

offerTelemetry(openPort());

function openPort(): TelemetryPort {
  let isDebug = false;
  let open: DebugExport | undefined;
  let early: ((to: DebugExport) => void)[] = [];
  /** One opening or closing after the other. */
  let turn: Promise<void> = Promise.resolve();
  const readers: (() => Gauge[])[] = [];

  const pass = (one: (to: DebugExport) => void) => {
    if (open) one(open);
    else if (early.length < mostEarly) early.push(one);
  };
  async function begin(who: Parameters<TelemetryPort['debug']>[0]): Promise<void> {
    if (!who || !isDebug || open) return;
    const { openDebugExport } = await import('./debug-export.ts');
    open = await openDebugExport(who, process.env, () => readers.flatMap((read) => read()));
    for (const one of early.splice(0)) one(open);
  }
  async function end(): Promise<void> {
    if (isDebug) return;
    early = [];
    const closing = open;
    open = undefined;
    await closing?.close();
  }
  return {
    get isDebug() {
      return isDebug;
    },
    debug(who) {
      isDebug = who !== undefined;
      // Telemetry that fails must not take its process along.
      turn = turn.then(() => (who ? begin(who) : end())).catch(() => {});
    },
    measure(name, value, attributes) {
      if (isDebug) pass((to) => to.measure(name, value, attributes));
    },
    gauges: (read) => void readers.push(read),
    line(level, fields, text) {
      if (isDebug) pass((to) => to.line(level, fields, text));
    },
  };
}
