import type { DataOf } from '../../../schemas/catalogue.ts';
import { shortType } from '../../../schemas/envelope.ts';
import type { Outcome } from '../../../schemas/run.ts';
import type { TaskRecord } from '../model/task-record.ts';
import { Empty } from './empty.tsx';
import { DiffView } from './code.tsx';
import { TestsBeforeAndAfter } from './parts.tsx';
import { clockText } from './numbers.ts';

/** What a task has changed so far: each edit, and the tests before and after. */
export function Change({ record, cursor }: { record: TaskRecord; cursor: number }) {
  const view = record.views[cursor];
  const edits = record.events.slice(0, cursor + 1).flatMap((recorded) => {
    if (shortType(recorded.event.type) !== 'run.stepped') return [];
    const outcome: Outcome = (recorded.event.data as DataOf<'run.stepped'>).outcome;
    return outcome.diff && outcome.commit ? [{ recorded, diff: outcome.diff, commit: outcome.commit }] : [];
  });
  if (edits.length === 0 && !view?.testsBefore)
    return (
      <Empty title="Nothing is changed yet">
        Edits and test runs appear here as they are made. They stay on a branch of their own until you run{' '}
        <code>./switchyard apply</code>.
      </Empty>
    );
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-3 xl:grid-cols-[minmax(0,1fr)_26rem]">
      <div className="order-2 space-y-3 xl:order-1">
        {edits.length === 0 ? <p className="panel m-0 p-4 text-soft">No edit so far.</p> : null}
        {edits.map(({ recorded, diff, commit }, index) => (
          <section key={commit} className="panel p-4">
            <h2 className="m-0 mb-2 text-sm font-semibold">{`Edit ${index + 1} by the ${recorded.event.sender}, ${clockText(recorded.atMs).slice(0, 8)}, commit ${commit.slice(0, 8)}`}</h2>
            <DiffView diff={diff} />
          </section>
        ))}
      </div>
      <div className="panel order-1 px-4 pb-4 xl:order-2">
        <TestsBeforeAndAfter before={view?.testsBefore} after={view?.testsAfter} />
        {view?.commit ? (
          <p className="mt-4 text-soft">
            On branch <code className="break-all">{view.branch}</code>. Your checkout is as it was; to take
            the change over: <code className="break-all text-ink">./switchyard apply {view.taskId}</code>
          </p>
        ) : null}
      </div>
    </div>
  );
}
