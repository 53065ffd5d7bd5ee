import { useState, type ReactNode } from 'react';
import { shortType } from '../../../schemas/envelope.ts';
import type { TestReport } from '../../../schemas/work.ts';
import { lineOf } from '../../timeline.ts';
import { durationText, testsText } from '../../wording.ts';
import type { TaskRecord } from '../model/task-record.ts';
import { Code } from './code.tsx';
import { clockText } from './numbers.ts';
import { Glyph } from './sign.tsx';
import { Words } from './words.tsx';

/** A titled part of a detail. */
export function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="mt-4">
      <h3 className="label m-0 mb-1">{title}</h3>
      {children}
    </section>
  );
}

export function Json({ value }: { value: unknown }) {
  return <Output text={JSON.stringify(value, null, 2)} label="JSON" file="value.json" />;
}

/** Text of a program or a model, whole; long ones scroll. `file`: a name by which its language is known. */
export function Output({ text, label, file }: { text: string; label: string; file?: string }) {
  return (
    <pre
      tabIndex={0}
      role="group"
      aria-label={label}
      className="m-0 mt-1 max-h-96 overflow-auto whitespace-pre-wrap break-words rounded-sm bg-ground p-2.5"
    >
      {file ? <Code text={text} file={file} /> : text}
    </pre>
  );
}

/** An event in a line, and behind it as it is stored. */
export function EventLine({ record, index }: { record: TaskRecord; index: number }) {
  const recorded = record.events[index]!;
  const line = lineOf(recorded, record.views[index]!);
  const [isOpen, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="list-none">
        <span className="mono text-soft">{clockText(recorded.atMs)}</span>{' '}
        <span className="mono">{shortType(recorded.event.type)}</span>
        <span className="block pl-3 text-soft">
          <Words spans={line.spans.slice(3)} />
        </span>
      </summary>
      {isOpen ? <Json value={recorded} /> : null}
    </details>
  );
}

/** What the tests said, before any change where that is known and after. */
export function TestsBeforeAndAfter({
  before,
  after,
}: {
  before?: TestReport | undefined;
  after?: TestReport | undefined;
}) {
  return (
    <Part title={before && after ? 'Tests before and after' : 'Tests'}>
      {[before, after].map((report, index) =>
        report ? (
          <details key={index} className="mb-1">
            <summary>
              <Glyph name={report.testsPass ? 'green' : 'red'} />{' '}
              {before && after ? (index === 0 ? 'before: ' : 'after: ') : ''}
              {testsText(report)}{' '}
              <span className="text-soft">
                in {durationText(report.durationMs)}, sandbox: {report.sandbox}
              </span>
            </summary>
            <Output label="Output of the tests" text={report.output} />
          </details>
        ) : null,
      )}
    </Part>
  );
}
