import { memo } from 'react';
import { takeOverAt } from '../model/take-over.ts';
import type { TaskRecord } from '../model/task-record.ts';
import { Glyph } from './sign.tsx';

interface TakeOverProps {
  record: TaskRecord;
  cursor: number;
}

/** What this mesh is for, where it happened: a process died, and another went on. */
export const TakeOverLine = memo(function TakeOverLine({ record, cursor }: TakeOverProps) {
  const told = takeOverAt(record, cursor);
  if (!told) return null;
  return (
    <p
      className="m-0 mt-1 flex flex-wrap gap-x-2 gap-y-0.5 border-l-2 border-go pl-2.5"
      data-testid="take-over"
    >
      <span className="tone-bad font-medium">
        <Glyph name="crash" className="mr-1 align-[-2px]" />
        {told.died};
      </span>
      <span className="tone-good font-medium">
        <Glyph name="resumed" className="mr-1 align-[-2px]" />
        {told.wentOn}
      </span>
    </p>
  );
});
