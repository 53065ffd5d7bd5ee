import type { Msg } from '@nats-io/nats-core';
import type { Envelope } from '../schemas/envelope.ts';
import {
  addWindow,
  crashWindowMs,
  modeScope,
  windowFor,
  windowOf,
  windowOfStart,
  type Mode,
  type ModeWindow,
} from '../schemas/observed.ts';
import { observedSubjects } from '../schemas/permissions.ts';
import { journalSubject, streamNames } from '../schemas/subject.ts';
import { telemetry, type Observed } from '../schemas/telemetry.ts';
import type { Bus } from './connect.ts';
import { entryProblem, type Believing } from './journal.ts';
import { logInFull, type Log } from './log.ts';
import { isNotFound, notFoundIsNull } from './not-found.ts';
import { signatureHeader } from './signature.ts';

export interface ObservedOptions extends Omit<Believing, 'log'> {
  log: Log;
  who: Observed;
}

/** The longest wait of a timer. */
const mostMs = 2 ** 31 - 1;

/**
 * Has this process let out what the mesh's journals say: as they stand when it starts, and as they change. A window ends
 * by itself. Returns how to stop.
 */
export async function openObserved(options: ObservedOptions): Promise<() => void> {
  const { bus, namespace, log, who } = options;
  const windows = new Map<string, ModeWindow>();
  const started = windowOfStart(process.env['OBS_MODE'], who.process, Date.now());
  if (started) addWindow(windows, started);
  let mode: Mode = 'shipping';
  let timer: NodeJS.Timeout | undefined;

  function apply(): void {
    clearTimeout(timer);
    const nowMs = Date.now();
    for (const [key, { untilMs }] of windows)
      if (untilMs !== undefined && untilMs <= nowMs) windows.delete(key);
    const holds = windowFor(windows.values(), who, nowMs);
    const next = holds?.mode ?? 'shipping';
    const ends = [...windows.values()].flatMap(({ untilMs }) => (untilMs === undefined ? [] : [untilMs]));
    if (ends.length > 0) {
      timer = setTimeout(apply, Math.min(mostMs, Math.max(1, Math.min(...ends) - nowMs)));
      timer.unref();
    }
    if (next === mode) return;
    mode = next;
    telemetry().debug(next === 'debug' ? who : undefined);
    logInFull(next === 'debug');
    log.info({ mode, until: holds?.untilMs, why: holds?.why }, `observed in ${mode} mode`);
  }

  function take(entry: { subject: string; body: Uint8Array; signature: string }): void {
    if (entryProblem(options, namespace, entry) !== undefined) return;
    const window = windowOf(JSON.parse(Buffer.from(entry.body).toString('utf8')) as Envelope);
    if (window) addWindow(windows, window);
  }

  const subscriptions = observedSubjects(namespace).map((subject) =>
    bus.connection.subscribe(subject, {
      callback: (error: Error | null, message: Msg) => {
        if (error) return;
        const signature = message.headers?.get(signatureHeader) ?? '';
        take({ subject: message.subject, body: message.data, signature });
        apply();
      },
    }),
  );

  async function read(): Promise<void> {
    try {
      for await (const entry of storedModes(bus, namespace, who)) take(entry);
    } catch (error) {
      // A batch past the end is none.
      if (!isNotFound(error))
        log.debug({ error }, 'what is to be observed was not read; what comes from now on is heard');
    }
    apply();
  }
  await read();
  const statuses = bus.connection.status();
  void (async () => {
    for await (const { type } of statuses) if (type === 'reconnect') void read();
  })();
  return () => {
    clearTimeout(timer);
    for (const one of subscriptions) one.unsubscribe();
    // What is at hand is sent while the connection drains.
    telemetry().debug(undefined);
  };
}

/** What a mesh's journals say of a process, and the crashes of the last minutes. */
async function* storedModes(
  bus: Bus,
  namespace: string,
  who: Observed,
): AsyncGenerator<{ subject: string; body: Uint8Array; signature: string }> {
  const stream = streamNames(namespace).events;
  for (const scope of [{}, { role: who.role }, { process: who.process }]) {
    const name = { entity: 'mesh' as const, taskId: 'mesh', role: 'mode', id: modeScope(scope) };
    const stored = await bus.manager.direct
      .getMessage(stream, { last_by_subj: journalSubject(namespace, name) })
      .catch(notFoundIsNull);
    if (stored)
      yield {
        subject: stored.subject,
        body: stored.data,
        signature: stored.header?.get(signatureHeader) ?? '',
      };
  }
  // Older ones are over; a server without batches leaves the rest to the next crash.
  if (!bus.hasBatchGet) return;
  const start_time = new Date(Date.now() - crashWindowMs);
  const query = { start_time, next_by_subj: observedSubjects(namespace)[1]!, batch: mostCrashes };
  for await (const { subject, data, header } of await bus.manager.direct.getBatch(stream, query))
    yield { subject, body: data, signature: header?.get(signatureHeader) ?? '' };
}

const mostCrashes = 100;
