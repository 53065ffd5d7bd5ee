import { memo, type ReactNode } from 'react';
import type { TaskSummary } from '../../../schemas/query.ts';
import { ageMs } from '../../query.ts';
import { durationText } from '../../wording.ts';
import { dollars, shortCount } from './numbers.ts';
import { ScriptedChip } from './sign.tsx';
import { useMedia } from './use-clock.tsx';

/** `1/2`: review cycles left, of those that the task may take. */
export const cyclesLeftText = (task: Pick<TaskSummary, 'cyclesLeft' | 'maxCycles'>) =>
  `${task.cyclesLeft}/${task.maxCycles}`;

/** `9/11`, or only whether they pass where the output does not tell how many. */
function testText(count: TaskSummary['testsAfter']): string {
  const { testsPass = false, passed = null, failed = null } = count ?? {};
  return passed === null || failed === null ? (testsPass ? 'pass' : 'fail') : `${passed}/${passed + failed}`;
}

export const Facts = memo(function Facts({ task, nowMs }: { task: TaskSummary; nowMs: number }) {
  const { testsBefore, testsAfter } = task;
  const part = task.budgetMicroDollars > 0 ? Math.min(1, task.costMicroDollars / task.budgetMicroDollars) : 0;
  const isWide = useMedia('(min-width: 40rem)');
  const first = (
    <>
      <Fact name={isWide ? 'review cycles left' : 'cycles left'}>{cyclesLeftText(task)}</Fact>
      <Fact name="tests">
        {testsBefore ? (
          <>
            {testText(testsBefore)}
            {testsAfter ? <Soft> → </Soft> : null}
          </>
        ) : null}
        {testsAfter ? (
          <span className={testsAfter.testsPass ? 'tone-good' : 'tone-warn'}>{testText(testsAfter)}</span>
        ) : testsBefore ? null : (
          <Soft>not run yet</Soft>
        )}
      </Fact>
      <Fact name={isWide ? 'cost of budget' : 'cost'}>
        {dollars(task.costMicroDollars)}
        <Soft> of {dollars(task.budgetMicroDollars)}</Soft>
        <Meter part={part} />
      </Fact>
      <Fact name={task.endedAtMs === undefined ? 'age' : 'took'}>{durationText(ageMs(task, nowMs))}</Fact>
    </>
  );
  const others = (
    <>
      <Fact name="hop">
        {task.hop}
        <Soft>/{task.maxHops}</Soft>
      </Fact>
      <Fact name="tokens in + out">
        {shortCount(task.inputTokens)}
        <Soft> + </Soft>
        {shortCount(task.outputTokens)}
      </Fact>
      <Fact name="crashes">{task.takeOvers}</Fact>
      <Fact name="denials">{task.denials}</Fact>
      <Fact name="model">
        {task.isScripted ? <ScriptedChip /> : task.models.join(', ') || <Soft>none yet</Soft>}
      </Fact>
    </>
  );
  if (isWide)
    return (
      <dl className="m-0 flex flex-wrap gap-x-7 gap-y-2">
        {first}
        {others}
      </dl>
    );
  return (
    <div>
      <dl className="m-0 grid grid-cols-2 gap-x-5 gap-y-1">{first}</dl>
      <details className="mt-1">
        <summary className="text-soft">hop, tokens, crashes, denials, model</summary>
        <dl className="m-0 mt-1 grid grid-cols-2 gap-x-5 gap-y-1">{others}</dl>
      </details>
    </div>
  );
});

const Soft = ({ children }: { children: ReactNode }) => <span className="text-soft">{children}</span>;

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt className="label">{name}</dt>
      <dd className="m-0 leading-6 sm:text-base">{children}</dd>
    </div>
  );
}

/** How much of a budget is gone. The words beside it say the same. */
function Meter({ part }: { part: number }) {
  const tone = part > 0.9 ? 'bg-stop' : part > 0.6 ? 'bg-caution' : 'bg-go';
  return (
    <span className="mt-0.5 block h-1 w-full bg-[var(--bar-wait)]" aria-hidden="true">
      <span className={`block h-full ${tone}`} style={{ width: `${part * 100}%` }} />
    </span>
  );
}
