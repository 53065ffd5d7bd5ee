import { useMemo } from 'react';
import { diffLines, type DiffLine } from '../model/diff.ts';

const looks: Record<DiffLine['kind'], string> = {
  file: 'font-semibold border-t border-rail pt-1.5 first:border-0 first:pt-0',
  hunk: 'tone-accent',
  same: '',
  added: 'wash-good',
  removed: 'wash-bad',
  note: 'text-soft',
};
const marks: Partial<Record<DiffLine['kind'], string>> = { added: '+', removed: '−', same: ' ' };
const words: Partial<Record<DiffLine['kind'], string>> = { added: 'added: ', removed: 'removed: ' };

/** A unified diff with signs, line numbers and what changed within a line. */
export function DiffView({ diff }: { diff: string }) {
  const lines = useMemo(() => diffLines(diff), [diff]);
  return (
    <div
      className="mono max-h-[32rem] overflow-auto rounded-sm bg-ground p-2.5 leading-5"
      tabIndex={0}
      role="group"
      aria-label="Change, line by line"
    >
      <div className="w-max min-w-full">
        {lines.map((line, index) => (
          <div key={index} className={`flex whitespace-pre ${looks[line.kind]}`}>
            {marks[line.kind] === undefined ? (
              <span>{line.text}</span>
            ) : (
              <>
                <span className="w-10 shrink-0 select-none pr-2 text-right text-soft">{line.number}</span>
                <span className="w-4 shrink-0 select-none font-bold" aria-hidden="true">
                  {marks[line.kind]}
                </span>
                <span>
                  {words[line.kind] ? <span className="sr-only">{words[line.kind]}</span> : null}
                  <Changed line={line} />
                </span>
              </>
            )}
          </div>
        ))}
      </div>
    </div>
  );
}

function Changed({ line: { text, changed, kind } }: { line: DiffLine }) {
  if (!changed || changed.length === 0) return text;
  const look = kind === 'added' ? 'decoration-go' : 'decoration-stop';
  return (
    <>
      {changed.map(([from, to], index) => (
        <span key={from}>
          {text.slice(changed[index - 1]?.[1] ?? 0, from)}
          <mark
            className={`bg-transparent font-bold text-inherit underline decoration-2 underline-offset-4 ${look}`}
          >
            {text.slice(from, to)}
          </mark>
        </span>
      ))}
      {text.slice(changed.at(-1)![1])}
    </>
  );
}
