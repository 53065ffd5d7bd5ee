import type { Client, Recorded } from '../bus/client.ts';
import { span, type Span } from '../observability/span.ts';
import { advanceView, emptyView, type TaskView } from '../observability/task-view.ts';
import { lineOf } from '../observability/timeline.ts';
import { watchBroker } from './broker-loss.ts';
import { endingData, endingText, exitCodeOf } from './ending.ts';
import { exitCodes } from './exit-codes.ts';
import { linesText, type Output } from './output.ts';
import type { WatchScreen } from './watch-screen.ts';

export interface FollowOptions {
  output: Output;
  /** Where it is drawn in place while it goes on; left out: line by line. */
  screen?: WatchScreen | undefined;
  /** Also the inside of model calls. */
  isVerbose?: boolean;
  /** Ends the following, not the task. */
  signal?: AbortSignal;
}

/** How long nothing may be known of a task before somebody is told why. */
const silenceMs = 2000;

/**
 * Shows a task's events from the first on, then live, until it ends or a person is needed; resolves with the exit code
 * that its end means. A task that was paused and resumed goes on here too: only its last state counts.
 */
export async function followTask(client: Client, taskId: string, options: FollowOptions): Promise<number> {
  const { output } = options;
  const signal = options.signal ?? new AbortController().signal;
  const screen = output.isJson ? undefined : options.screen;
  let view: TaskView = { ...emptyView, taskId };
  const tell = (lines: Span[][]) => (screen ? screen.add(lines, view) : output.progress(lines));
  const show = (recorded: Recorded) => {
    view = advanceView(view, recorded);
    if (output.isJson) {
      output.entry(recorded, []);
      return;
    }
    const line = lineOf(recorded, view);
    tell(!line.isDetail || options.isVerbose ? linesText(line) : []);
  };
  for (const recorded of await client.read(taskId)) show(recorded);
  // All of it, where it can be scrolled back to.
  const tellAll = () => output.progress(screen?.end() ?? []);
  if (exitCodeOf(view) !== undefined || signal.aborted) tellAll();
  else {
    const say = (line: string) => tell([[span(line)]]);
    const silence =
      view.events === 0 ? setTimeout(() => void sayWhySilent(client, say), silenceMs) : undefined;
    const broker = watchBroker(client.bus.connection, say);
    screen?.begin();
    try {
      while (exitCodeOf(view) === undefined && !signal.aborted) {
        await orAborted(broker.isBack(), signal);
        // What is delivered later than a break may leave something out: it is read again from what was seen last.
        const until = AbortSignal.any([signal, broker.breaks()]);
        try {
          for await (const recorded of client.follow(taskId, until, view.lastSequence + 1)) {
            clearTimeout(silence);
            show(recorded);
            if (exitCodeOf(view) !== undefined) break;
          }
        } catch (error) {
          if (!until.aborted) throw error;
        }
      }
    } finally {
      clearTimeout(silence);
      broker.stop();
      tellAll();
    }
  }
  const code = exitCodeOf(view);
  if (code === undefined) {
    output.progress(`the task goes on; follow it again with: ./switchyard watch ${taskId}`);
    output.lastResult(endingData(view, Date.now()), []);
    return exitCodes.interrupted;
  }
  const nowMs = Date.now();
  output.lastResult(endingData(view, nowMs), endingText(view, nowMs));
  return code;
}

async function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const aborted = Promise.withResolvers<void>();
  const stop = () => aborted.resolve();
  signal.addEventListener('abort', stop, { once: true });
  await Promise.race([work, aborted.promise]).finally(() => signal.removeEventListener('abort', stop));
}

async function sayWhySilent(client: Client, say: (line: string) => void): Promise<void> {
  try {
    const roles = new Set((await client.living()).map((one) => one.role));
    if (!roles.has('manager'))
      say('queued: no manager is alive yet; start one with: ./switchyard start manager');
  } catch {
    // It was a hint only.
  }
}
