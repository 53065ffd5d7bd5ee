import { memo } from 'react';
import { agentRoles, type AgentRole } from '../../../schemas/row.ts';
import { testsText } from '../../wording.ts';
import type { TaskView } from '../../task-view.ts';
import { incidentsAt, isOverAt, type Track, type TrackNode } from '../model/track.ts';
import { signs, type SignName } from '../model/signs.ts';
import { Glyph } from './sign.tsx';

/** The steps of a role that are shown as wagons; older ones are out of the picture. */
const mostWagons = 28;

interface RoleState {
  role: AgentRole;
  sign: SignName;
  words: string;
  wagons: TrackNode[];
  isAtWork: boolean;
  steps: number;
  runs: number;
}

/** What each role did up to `cursor`, and does now. */
function rolesAt(track: Track, view: TaskView | undefined, cursor: number): RoleState[] {
  return agentRoles.map((role) => {
    const runs = track.top.filter(
      (one) => one.kind === 'run' && one.role === role && one.openIndex <= cursor,
    );
    const steps = runs.flatMap((run) =>
      run.children.filter((one) => one.kind !== 'route' && one.openIndex <= cursor),
    );
    const run = runs.at(-1);
    const shared = { role, wagons: steps.slice(-mostWagons), steps: steps.length, runs: runs.length };
    if (!run) {
      const words = view?.endedAtMs === undefined ? 'no work for it so far' : 'had no work';
      return { ...shared, sign: 'queued', words, isAtWork: false };
    }
    if (!isOverAt(run, cursor)) {
      const open = run.children.findLast((one) => one.openIndex <= cursor);
      const hadCrash = incidentsAt(run, cursor).some((one) => one.sign === 'crash');
      const isStopped = view?.state === 'paused' || view?.state === 'waiting';
      const sign = view?.state === 'paused' ? 'paused' : view?.state === 'waiting' ? 'waits' : 'working';
      const words = isStopped
        ? (view.pause?.reason ?? view.waiting?.why ?? '')
        : `${hadCrash ? 'after a crash: ' : ''}${open && !isOverAt(open, cursor) ? open.label : 'takes it up'}`;
      return { ...shared, sign, words, isAtWork: !isStopped };
    }
    const tests = role === 'coder' || role === 'tester' ? view?.testsAfter : undefined;
    const sign = run.outcome ?? 'done';
    return {
      ...shared,
      sign,
      words: `${signs[sign].word}${tests ? `, ${testsText(tests)}` : ''}`,
      isAtWork: false,
    };
  });
}

const wagonShapes: Partial<Record<SignName, string>> = {
  denied: 'h-2 bg-caution',
  failed: 'h-2 bg-stop',
  red: 'bg-caution',
  green: 'bg-go',
};

function Wagon({ node, cursor }: { node: TrackNode; cursor: number }) {
  const isOver = isOverAt(node, cursor);
  const hadCrash = node.incidents.some((one) => one.sign === 'crash' && one.index <= cursor);
  const outcome = isOver ? node.outcome : undefined;
  const look =
    (outcome && wagonShapes[outcome]) ??
    (node.kind === 'call' ? 'bg-[var(--bar-call)]' : 'bg-[var(--bar-tool)]');
  return (
    <span
      className={`relative h-3.5 rounded-[2px] ${node.kind === 'call' ? 'w-4' : 'w-2.5'} ${look} ${isOver ? '' : 'lamp-at-work ring-1 ring-lamp'}`}
    >
      {hadCrash ? (
        <span className="absolute -top-4 left-1/2 flex -translate-x-1/2">
          <Glyph name="crash" className="!size-3" />
        </span>
      ) : null}
    </span>
  );
}

interface TracksProps {
  track: Track;
  view: TaskView | undefined;
  cursor: number;
  isCompact?: boolean;
}

/** The task as a switchyard: one track a role, one wagon a step, one signal each. */
export const Tracks = memo(function Tracks({ track, view, cursor, isCompact = false }: TracksProps) {
  const all = rolesAt(track, view, cursor);
  // Beside a waterfall there is room for those only that have work, in the whole task: tracks that come and go confuse.
  const busy = all.filter((one) => track.top.some((node) => node.kind === 'run' && node.role === one.role));
  const roles = isCompact && busy.length > 0 ? busy : all;
  const shape = isCompact
    ? 'sm:h-8 sm:grid-cols-[minmax(11rem,17rem)_minmax(0,1fr)]'
    : 'sm:h-11 sm:grid-cols-[minmax(13rem,24rem)_minmax(0,1fr)]';
  return (
    <div className="grid grid-cols-[2.25rem_minmax(0,1fr)] sm:grid-cols-[4.5rem_minmax(0,1fr)_3rem]">
      <Points roles={roles} isLeft />
      <ul className="m-0 list-none p-0" aria-label="Roles">
        {roles.map((one) => (
          <li key={one.role} className={`grid h-14 grid-cols-[minmax(0,1fr)] items-center ${shape}`}>
            <span className="flex min-w-0 items-center gap-2">
              <Glyph name={one.sign} className={`!size-4 ${one.isAtWork ? 'lamp-at-work' : ''}`} />
              <span className={`w-[4.5rem] shrink-0 ${one.isAtWork ? 'font-semibold' : ''}`}>{one.role}</span>
              <span className={`truncate ${one.isAtWork ? '' : 'text-soft'}`} title={one.words}>
                {one.words}
              </span>
            </span>
            <span className="sleepers relative h-4 min-w-0 overflow-visible">
              <span
                className="absolute inset-y-0 left-2 right-0 flex items-center gap-[3px] overflow-x-clip overflow-y-visible"
                aria-hidden="true"
              >
                {one.wagons.map((node) => (
                  <Wagon key={node.id} node={node} cursor={cursor} />
                ))}
              </span>
              <span className="sr-only">{one.steps === 1 ? '1 step' : `${one.steps} steps`}</span>
            </span>
          </li>
        ))}
      </ul>
      <Points roles={roles} />
    </div>
  );
});

/** Where the tracks part, or come together again; the way that is set is drawn strong. */
function Points({ roles, isLeft = false }: { roles: RoleState[]; isLeft?: boolean }) {
  const path = (index: number) => {
    const y = ((index + 0.5) * 100) / roles.length;
    return isLeft ? `M0 50H20C60 50 50 ${y} 100 ${y}` : `M100 50H80C40 50 50 ${y} 0 ${y}`;
  };
  const set = roles.findIndex((one) => one.isAtWork);
  return (
    <svg
      viewBox="0 0 100 100"
      preserveAspectRatio="none"
      className={`h-0 min-h-full w-full ${isLeft ? '' : 'hidden sm:block'}`}
      fill="none"
      aria-hidden="true"
    >
      {roles.map((one, index) => (
        <path
          key={one.role}
          d={path(index)}
          stroke="var(--rail)"
          strokeWidth="2"
          vectorEffect="non-scaling-stroke"
        />
      ))}
      {set >= 0 && isLeft ? (
        <path d={path(set)} stroke="var(--lamp)" strokeWidth="3" vectorEffect="non-scaling-stroke" />
      ) : null}
    </svg>
  );
}

const legend: [string, string][] = [
  ['h-2.5 w-3 bg-[var(--bar-call)]', 'model call'],
  ['h-2.5 w-2 bg-[var(--bar-tool)]', 'tool'],
  ['h-2.5 w-2 bg-caution', 'tests red, or denied'],
  ['h-2.5 w-2 bg-go', 'tests green'],
];

/** What the wagons mean. */
export function Legend() {
  return (
    <p className="m-0 flex flex-wrap gap-x-4 gap-y-1 text-xs text-soft">
      <span>One wagon a step:</span>
      {legend.map(([look, words]) => (
        <span key={words} className="inline-flex items-center gap-1.5">
          <span className={`inline-block rounded-[2px] ${look}`} aria-hidden="true" /> {words}
        </span>
      ))}
      <span className="inline-flex items-center gap-1.5">
        <Glyph name="crash" className="!size-3" /> its process was killed
      </span>
    </p>
  );
}
