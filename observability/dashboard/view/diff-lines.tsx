import { useVirtualizer } from '@tanstack/react-virtual';
import { useMemo, useRef } from 'react';
import { diffLines, piecesOf, type DiffLine } from '../model/diff.ts';
import { DiffBox } from './code.tsx';

const looks: Record<DiffLine['kind'], string> = {
  file: 'font-semibold',
  hunk: 'tone-accent',
  same: '',
  added: 'wash-good',
  removed: 'wash-bad',
  note: 'text-soft',
};
const marks: Partial<Record<DiffLine['kind'], string>> = { added: '+', removed: '−', same: ' ' };
const words: Partial<Record<DiffLine['kind'], string>> = { added: 'added: ', removed: 'removed: ' };

const lineHeight = 20;

/** A unified diff with signs, line numbers, what changed within a line and the colours of its code. */
export function DiffLines({ diff }: { diff: string }) {
  const lines = useMemo(() => diffLines(diff), [diff]);
  const widest = useMemo(() => lines.reduce((most, { text }) => Math.max(most, columns(text)), 0), [lines]);
  const scroller = useRef<HTMLDivElement>(null);
  const virtualizer = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => lineHeight,
    // A diff of everyday size is there as a whole, to be searched and marked.
    overscan: 80,
  });
  return (
    <DiffBox scroller={scroller}>
      <div
        className="relative min-w-full [tab-size:4]"
        style={{ height: virtualizer.getTotalSize(), width: `calc(${widest}ch + 3.5rem)` }}
      >
        {virtualizer.getVirtualItems().map(({ index, start }) => (
          <Line key={index} line={lines[index]!} start={start} />
        ))}
      </div>
    </DiffBox>
  );
}

const columns = (text: string) => text.replaceAll('\t', '    ').length;

function Line({ line, start }: { line: DiffLine; start: number }) {
  const { kind, text, number } = line;
  return (
    <div
      className={`absolute inset-x-0 flex h-5 whitespace-pre ${looks[kind]}`}
      style={{ transform: `translateY(${start}px)` }}
    >
      {marks[kind] === undefined ? (
        <span>{text}</span>
      ) : (
        <>
          <span className="w-10 shrink-0 select-none pr-2 text-right text-soft">{number}</span>
          <span className="w-4 shrink-0 select-none font-bold" aria-hidden="true">
            {marks[kind]}
          </span>
          <span>
            {words[kind] ? <span className="sr-only">{words[kind]}</span> : null}
            <Pieces line={line} />
          </span>
        </>
      )}
    </div>
  );
}

function Pieces({ line }: { line: DiffLine }) {
  const decoration = line.kind === 'added' ? 'decoration-go' : 'decoration-stop';
  return piecesOf(line).map(({ text, colour, isChanged }, index) => {
    const look = colour ? `code-${colour}` : 'text-inherit';
    if (isChanged)
      return (
        <mark
          key={index}
          className={`bg-transparent font-bold underline decoration-2 underline-offset-4 ${decoration} ${look}`}
        >
          {text}
        </mark>
      );
    return colour ? (
      <span key={index} className={look}>
        {text}
      </span>
    ) : (
      text
    );
  });
}
