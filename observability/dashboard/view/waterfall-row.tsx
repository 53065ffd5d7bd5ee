import { memo } from 'react';
import type { Span } from '../../span.ts';
import { lineOf } from '../../timeline.ts';
import { durationText } from '../../wording.ts';
import type { TaskRecord } from '../model/task-record.ts';
import { incidentsAt, isOverAt, lastEventAt, type TrackNode } from '../model/track.ts';
import type { SignName } from '../model/signs.ts';
import type { TimeScale } from '../model/time-scale.ts';
import { Chip, Glyph, ScriptedChip } from './sign.tsx';
import { Words } from './words.tsx';

export const waterfallColumns = 'grid-cols-[minmax(0,1fr)_4rem] md:grid-cols-[minmax(0,1fr)_4rem_45%]';

interface RowProps {
  node: TrackNode;
  index: number;
  record: TaskRecord;
  cursor: number;
  nowMs: number;
  scale: TimeScale;
  isActive: boolean;
  isChosen: boolean;
  isClosed: boolean;
  isWide: boolean;
  liveText: string | undefined;
  onToggle(node: TrackNode, isClosed: boolean): void;
  onOpen(node: TrackNode, index: number): void;
}

/** What a bar says of itself at `cursor`: while it is open what is done, then what came of it. */
function saidAt(node: TrackNode, record: TaskRecord, cursor: number, isOver: boolean): Span[] {
  if (node.kind === 'run') return [{ text: node.label, tone: 'plain' }];
  const place = lastEventAt(node, cursor);
  const event = record.events[place];
  const view = record.views[place];
  if (!event || !view || (!isOver && node.kind !== 'signal'))
    return [{ text: `${node.label}…`, tone: 'plain' }];
  // What is dim stands beside the rows, where the step is shown whole.
  return lineOf(event, view)
    .spans.slice(3)
    .filter((one) => one.tone !== 'dim' || one.text === ': ');
}

/** Ends that are said with a word before anything else, lest it is cut off. */
const named: ReadonlySet<SignName> = new Set(['denied', 'failed', 'retry']);
const namedOfRuns: ReadonlySet<SignName> = new Set(['changes', 'approved']);
/** Signs that the words of the row say already. */
const said: ReadonlySet<SignName> = new Set(['changes', 'paused']);

export const WaterfallRow = memo(function WaterfallRow(props: RowProps) {
  const {
    node,
    index,
    record,
    cursor,
    nowMs,
    scale,
    isActive,
    isChosen,
    isClosed,
    isWide,
    liveText,
    onToggle,
    onOpen,
  } = props;
  const isOver = isOverAt(node, cursor);
  const isRun = node.kind === 'run';
  const endMs = isOver ? node.closeAtMs! : Math.max(nowMs, node.openAtMs);
  const sign: SignName = isOver ? node.outcome! : node.begunAtMs === undefined ? 'queued' : 'working';
  const incidents = incidentsAt(node, cursor).filter(
    (one) =>
      one.sign !== sign &&
      !(node.kind === 'signal' && said.has(one.sign)) &&
      // A step that is over was resumed: there is more room for what it did.
      !(one.sign === 'resumed' && !isRun && isOver),
  );
  const isPoint = node.kind === 'signal' && isOver && node.closeAtMs === node.openAtMs;
  const chips = (
    <>
      {isOver && ((node.kind !== 'signal' && named.has(sign)) || (isRun && namedOfRuns.has(sign))) ? (
        <Chip name={sign} />
      ) : null}
      {incidents.map((one) => (
        <Chip key={one.sign} name={one.sign} title={one.text} />
      ))}
    </>
  );
  return (
    <div
      role="row"
      id={`step-${index}`}
      aria-level={node.level}
      aria-rowindex={index + 1}
      aria-selected={isChosen}
      aria-expanded={isRun ? !isClosed : undefined}
      className={`grid h-full items-center gap-x-1 border-b border-rail/40 px-2 hover:bg-raised ${waterfallColumns} ${isChosen ? 'bg-raised' : ''} ${isActive ? 'shadow-[inset_3px_0_0_var(--lamp)]' : ''}`}
      onClick={() => onOpen(node, index)}
    >
      <span
        role="gridcell"
        className={`flex min-w-0 items-center gap-1.5 ${node.level === 2 ? 'pl-3 md:pl-7' : isRun ? '' : 'pl-1 md:pl-5'}`}
      >
        {isRun ? (
          <span
            className="grid size-4 shrink-0 place-items-center text-soft"
            aria-hidden="true"
            onClick={(event) => {
              event.stopPropagation();
              onToggle(node, !isClosed);
            }}
          >
            {isClosed ? '▸' : '▾'}
          </span>
        ) : null}
        <Glyph name={sign} className={sign === 'working' ? 'lamp-at-work' : ''} />
        {isWide ? chips : null}
        <span className={`min-w-0 truncate ${isRun ? 'font-semibold' : ''}`}>
          <span className="sr-only">{wordOf(sign)}: </span>
          <Words spans={saidAt(node, record, cursor, isOver)} />
          {liveText && !isOver ? <span className="tone-accent"> {liveText.slice(-120)}</span> : null}
        </span>
        {isRun && node.isScripted ? <ScriptedChip /> : null}
      </span>
      <span role="gridcell" className="mono text-right text-soft">
        {isPoint ? '' : durationText(endMs - node.openAtMs)}
      </span>
      <span role="gridcell" className="flex h-full items-center gap-1 max-md:col-span-2 max-md:h-5 md:ml-3">
        <span className="sr-only">{barText(node, isOver, endMs)}</span>
        {isWide ? null : chips}
        <span className="relative h-full min-w-0 flex-1">
          <Bar node={node} endMs={endMs} scale={scale} isPoint={isPoint} sign={sign} cursor={cursor} />
        </span>
      </span>
    </div>
  );
});

const wordOf = (sign: SignName) => (sign === 'working' ? 'at work' : sign);

function barText(node: TrackNode, isOver: boolean, endMs: number): string {
  const waited = node.begunAtMs === undefined ? 0 : node.begunAtMs - node.openAtMs;
  const word = isOver ? 'took' : 'so far';
  return `${word} ${durationText(endMs - node.openAtMs)}${waited > 50 ? `, waited ${durationText(waited)} of it` : ''}`;
}

interface BarProps {
  node: TrackNode;
  endMs: number;
  scale: TimeScale;
  isPoint: boolean;
  sign: SignName;
  cursor: number;
}

const barLooks: Partial<Record<SignName, string>> = {
  denied: 'bg-caution',
  failed: 'bg-stop',
  retry: 'bg-caution',
  red: 'bg-caution',
  green: 'bg-go',
};

function Bar({ node, endMs, scale, isPoint, sign, cursor }: BarProps) {
  const percent = (ms: number) => scale.at(ms) * 100;
  const left = percent(node.openAtMs);
  if (isPoint)
    return <span className="absolute inset-y-0 my-auto h-3 w-0.5 bg-soft" style={{ left: `${left}%` }} />;
  const begun = percent(Math.min(node.begunAtMs ?? endMs, endMs));
  const right = percent(endMs);
  const isRun = node.kind === 'run';
  const isStop = node.kind === 'signal';
  const look = isRun
    ? 'bg-rail'
    : (barLooks[sign] ?? (node.kind === 'call' ? 'bg-[var(--bar-call)]' : 'bg-[var(--bar-tool)]'));
  const thickness = isRun ? 'h-1' : 'h-2.5 max-md:h-1.5';
  return (
    <>
      {begun > left ? (
        <span
          className="waiting absolute inset-y-0 my-auto h-2"
          style={{ left: `${left}%`, width: `${begun - left}%` }}
        />
      ) : null}
      {isStop ? (
        <span
          className="folded absolute inset-y-0 my-auto h-2.5 min-w-[3px]"
          style={{ left: `${left}%`, width: `${right - left}%` }}
        />
      ) : (
        <span
          className={`absolute inset-y-0 my-auto min-w-[3px] rounded-[2px] ${thickness} ${look}`}
          style={{ left: `${begun}%`, width: `${right - begun}%` }}
        />
      )}
      {isRun
        ? null
        : node.incidents.map((one) =>
            one.index <= cursor && one.sign !== sign && one.sign !== 'resumed' ? (
              <span
                key={`${one.index}-${one.sign}`}
                className="absolute top-1/2 -translate-x-1/2 -translate-y-1/2 rounded-full bg-panel"
                style={{ left: `${percent(one.atMs)}%` }}
              >
                <Glyph name={one.sign} className="!block !size-3" />
              </span>
            ) : null,
          )}
    </>
  );
}
