import type { SignName } from './signs.ts';
import type { Incident } from './signs.ts';

export type NodeKind = 'signal' | 'run' | 'route' | 'call' | 'tool';

/** One bar of the waterfall. Times in milliseconds since 1970 UTC, places are those in the task's events from 0. */
export interface TrackNode {
  id: string;
  kind: NodeKind;
  level: 1 | 2;
  /** The run that it belongs to. */
  parent?: string;
  role: string;
  /** What it is, in words that hold from its first moment. */
  label: string;
  openIndex: number;
  openAtMs: number;
  /** When the work itself began, after waiting for somebody to take it. */
  begunAtMs?: number;
  closeIndex?: number;
  closeAtMs?: number;
  /** How it ended. */
  outcome?: SignName;
  incidents: Incident[];
  /** The place after which nothing happens to it any more; infinite while it is open. */
  settledIndex: number;
  /** Places of its events. */
  events: number[];
  /** Steps of a run, in order. */
  children: TrackNode[];
  runId?: string;
  callId?: string;
  /** Review cycles that a run had left when it was given, of those that the task may take. */
  cyclesLeft?: number;
  hop?: number;
  isScripted: boolean;
}

/** A task as a waterfall, out of all its events. */
export interface Track {
  /** Runs and what the manager did between them, in order. */
  top: TrackNode[];
  byId: ReadonlyMap<string, TrackNode>;
  /** For each event the bar that shows it. */
  nodeOfEvent: string[];
  /** All that happened, in order. */
  incidents: Incident[];
  /** What more bars are laid by. */
  open: {
    /** The step of each run that has no result yet. */
    stepOfRun: ReadonlyMap<string, string>;
    /** The models of each run, in the order in which they are asked. */
    modelsOfRun: ReadonlyMap<string, string[]>;
    /** A pause or a wait of the manager that goes on. */
    stop?: string | undefined;
  };
}

export const emptyTrack: Track = {
  top: [],
  byId: new Map(),
  nodeOfEvent: [],
  incidents: [],
  open: { stepOfRun: new Map(), modelsOfRun: new Map() },
};

/** The bars that can be seen once the events up to `cursor` have happened, in the order of the tree. */
export function rowsAt(track: Track, cursor: number, closedRuns: ReadonlySet<string>): TrackNode[] {
  const rows: TrackNode[] = [];
  for (const node of track.top) {
    if (node.openIndex > cursor) continue;
    rows.push(node);
    if (closedRuns.has(node.id)) continue;
    for (const child of node.children) if (child.openIndex <= cursor) rows.push(child);
  }
  return rows;
}

/** True when it had ended once the events up to `cursor` had happened. */
export const isOverAt = (node: TrackNode, cursor: number): boolean =>
  node.closeIndex !== undefined && node.closeIndex <= cursor;

/** The last of a bar's events up to `cursor`. */
export function lastEventAt(node: TrackNode, cursor: number): number {
  let found = node.events[0] ?? node.openIndex;
  for (const index of node.events) {
    if (index > cursor) break;
    found = index;
  }
  return found;
}

/** What had happened to a bar up to `cursor`; each sign once, the last of its kind. */
export function incidentsAt(node: TrackNode, cursor: number): Incident[] {
  if (node.incidents.length === 0) return node.incidents;
  const bySign = new Map<SignName, Incident>();
  for (const one of node.incidents) if (one.index <= cursor) bySign.set(one.sign, one);
  return [...bySign.values()];
}
