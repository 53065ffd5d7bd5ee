import type { DataOf } from './catalogue.ts';
import { shortType, type Envelope } from './envelope.ts';

export type Mode = 'shipping' | 'debug';

/** How long a crash has the processes of its role debugged, and `OBS_MODE=debug` a process that is started with it. */
export const crashWindowMs = 5 * 60_000;

/** What is to leave the processes that it is for; of two that are for the same process the later one holds. */
export interface ModeWindow {
  /** A later one of the same key replaces it. */
  key: string;
  mode: Mode;
  sinceMs: number;
  /** Absent: until it is switched again. */
  untilMs?: number;
  /** What was opened before this time, of those that it is for, is over. */
  endsBeforeMs?: number;
  role?: string;
  process?: string;
  /** Why, where it was not a person who switched. */
  why?: string;
}

/** The last part of a journal's subject for what a mode is for. */
export const modeScope = ({ role, process }: { role?: string | undefined; process?: string | undefined }) =>
  process !== undefined
    ? `process_${process.replaceAll('.', '-')}`
    : role !== undefined
      ? `role_${role}`
      : 'all';

/** The same for the crash of a process. */
export const crashScope = (process: string) => process.replaceAll(/[^\w-]/g, '-');

/** The window that an event opens, or undefined for other events. */
export function windowOf(event: Envelope): ModeWindow | undefined {
  const type = shortType(event.type);
  if (type === 'mesh.mode') {
    const { given, mode, untilMs, role, process, ...data } = event.data as DataOf<'mesh.mode'>;
    const endsBeforeMs = mode === 'shipping' ? given.atMs : data.endsBeforeMs;
    return {
      key: modeScope({ role, process }),
      mode,
      sinceMs: given.atMs,
      ...(untilMs === undefined ? {} : { untilMs }),
      ...(endsBeforeMs === undefined ? {} : { endsBeforeMs }),
      ...(role === undefined ? {} : { role }),
      ...(process === undefined ? {} : { process }),
    };
  }
  if (type !== 'mesh.crash') return undefined;
  const { given, process, role, why, untilMs } = event.data as DataOf<'mesh.crash'>;
  return { key: `crash ${process}`, mode: 'debug', sinceMs: given.atMs, untilMs, role, why };
}

/** What a process that is started with `OBS_MODE=debug` opens for itself; undefined for any other mode. */
export function windowOfStart(
  obsMode: string | undefined,
  process: string,
  startedAtMs: number,
): ModeWindow | undefined {
  if (obsMode !== 'debug') return undefined;
  const why = 'it was started with OBS_MODE=debug';
  const times = { sinceMs: startedAtMs, untilMs: startedAtMs + crashWindowMs };
  return { key: 'start', mode: 'debug', ...times, process, why };
}

/**
 * Adds a window. `shipping` for many ends all that was said before for any of them, in whatever order one hears of it, so
 * that everybody comes to the same. Debugging by itself ends nothing: a short one for all does not cut short what a crash
 * opened.
 */
export function addWindow(windows: Map<string, ModeWindow>, window: ModeWindow): void {
  const isOver = [...windows.values()].some((one) => ends(one, window));
  if (isOver || (windows.get(window.key)?.sinceMs ?? 0) > window.sinceMs) return;
  for (const [key, one] of windows) if (ends(window, one)) windows.delete(key);
  windows.set(window.key, window);
}

function ends(one: ModeWindow, other: ModeWindow): boolean {
  if (other.sinceMs >= (one.endsBeforeMs ?? 0)) return false;
  if (one.process !== undefined) return one.process === other.process;
  const role = other.role ?? other.process?.split('.')[0];
  return one.role === undefined || one.role === role;
}

/** The window that holds for a process at a time, or undefined: nobody switched, or its time is over. */
export function windowFor(
  windows: Iterable<ModeWindow>,
  who: { role: string; process: string },
  nowMs: number,
): ModeWindow | undefined {
  let found: ModeWindow | undefined;
  for (const one of windows) {
    if (one.untilMs !== undefined && one.untilMs <= nowMs) continue;
    if (one.role !== undefined && one.role !== who.role) continue;
    if (one.process !== undefined && one.process !== who.process) continue;
    if (!found || one.sinceMs >= found.sinceMs) found = one;
  }
  return found;
}
