import type { Reply } from '../../../schemas/call.ts';
import type { DataOf } from '../../../schemas/catalogue.ts';
import { shortType } from '../../../schemas/envelope.ts';
import type { Opens, Outcome, Result } from '../../../schemas/run.ts';
import type { Finding, TestReport } from '../../../schemas/work.ts';
import { countText, durationText, findingSpans } from '../../wording.ts';
import { routingsOf } from '../model/routing.ts';
import type { TaskRecord } from '../model/task-record.ts';
import { isOverAt, type TrackNode } from '../model/track.ts';
import type { LiveText } from '../model/yard.ts';
import { DiffView } from './code.tsx';
import { EventLine, Json, Output, Part, TestsBeforeAndAfter } from './parts.tsx';
import { RoutingCard } from './router.tsx';
import { Chip, ScriptedChip } from './sign.tsx';
import { Words } from './words.tsx';

interface DetailProps {
  node: TrackNode;
  record: TaskRecord;
  cursor: number;
  nowMs: number;
  liveText: LiveText | undefined;
  areFactsShown: boolean;
}

/** A run of thousands of steps may have as many; each stands at its step too. */
const mostIncidents = 12;

/** All that is known of one bar, up to `cursor`. */
export function Detail({ node, record, cursor, nowMs, liveText, areFactsShown }: DetailProps) {
  const places = node.events.filter((index) => index <= cursor);
  const isOver = isOverAt(node, cursor);
  const datas = places.map((index) => record.events[index]!.event);
  const opens = openedBy(node, record);
  const incidents = node.incidents.filter((one) => one.index <= cursor);
  const left = incidents.length - mostIncidents;
  const sign = isOver ? node.outcome! : 'working';
  const isPoint = node.kind === 'signal' && node.closeAtMs === node.openAtMs;
  const input =
    opens?.kind === 'tool' && hasKeys(opens.arguments) ? (
      <Part title="Input">
        <Json value={opens.arguments} />
      </Part>
    ) : null;
  // A change says what was asked for, and is read more easily.
  const hasDiff = datas.some(({ data }) => (data as { outcome?: Outcome }).outcome?.diff);
  return (
    <article className="p-4">
      <div className="flex flex-wrap items-center gap-2">
        <Chip name={sign} />
        {node.isScripted && node.kind !== 'tool' ? <ScriptedChip /> : null}
        <span className="text-soft">
          {node.role}
          {isPoint
            ? ''
            : `, ${isOver ? 'took' : 'for'} ${durationText((isOver ? node.closeAtMs! : nowMs) - node.openAtMs)}`}
        </span>
      </div>
      <h2 className="m-0 mt-2 break-words text-base font-semibold">{node.label}</h2>
      {incidents.length > 0 ? (
        <ul className="m-0 mt-2 list-none space-y-1 p-0">
          {left > 0 ? <li className="text-soft">{`${left} more`} before these</li> : null}
          {incidents.slice(-mostIncidents).map((one) => (
            <li key={`${one.index}-${one.sign}`} className="flex items-start gap-2">
              <Chip name={one.sign} /> <span className="min-w-0 break-words">{one.text}</span>
            </li>
          ))}
        </ul>
      ) : null}
      {hasDiff ? null : input}
      {node.kind === 'call' ? <Prompt node={node} record={record} /> : null}
      {liveText && !isOver ? (
        <Part title="Being written">
          <pre className="m-0 whitespace-pre-wrap break-words" aria-live="off">
            {liveText.text}
            <span className="lamp-at-work tone-accent" aria-hidden="true">
              ▍
            </span>
          </pre>
        </Part>
      ) : null}
      {datas.map((event, index) => (
        <Outcomes key={places[index]} type={shortType(event.type)} data={event.data} />
      ))}
      {hasDiff ? input : null}
      {node.kind === 'route'
        ? routingsOf(record.events)
            .filter((one) => places.includes(one.index))
            .slice(-1)
            .map((one) => (
              <RoutingCard
                key={one.index}
                routing={one}
                isPlain
                areFactsShown={areFactsShown}
                record={record}
              />
            ))
        : null}
      <Part title={countText(places.length, 'event')}>
        <ul className="m-0 list-none space-y-1 p-0">
          {places.map((index) => (
            <li key={index}>
              <EventLine record={record} index={index} />
            </li>
          ))}
        </ul>
      </Part>
    </article>
  );
}

const hasKeys = (value: unknown) =>
  typeof value === 'object' && value !== null && Object.keys(value).length > 0;

/** The declaration of a step stands in the event that opened it. */
function openedBy(node: TrackNode, record: TaskRecord): Opens | undefined {
  const { opens } = (record.events[node.openIndex]?.event.data ?? {}) as { opens?: Opens };
  return node.kind === 'tool' || node.kind === 'call' ? opens : undefined;
}

/** A prompt is not kept in the record; what it was made of is. */
function Prompt({ node, record }: { node: TrackNode; record: TaskRecord }) {
  const intended = node.events
    .map((index) => record.events[index]!.event)
    .find((event) => shortType(event.type) === 'call.intended');
  const command = (intended?.data as DataOf<'call.intended'> | undefined)?.given.command as
    | { data?: { characters?: number; messages?: { role: string; content: string }[] } }
    | undefined;
  const { characters, messages = [] } = command?.data ?? {};
  return (
    <Part title="Prompt">
      {messages.length > 0 ? (
        messages.map((one, index) => (
          <Output key={index} label={one.role} text={`${one.role}: ${one.content}`} />
        ))
      ) : (
        <p className="m-0 text-soft">
          {characters === undefined
            ? 'No worker has taken the question yet.'
            : `${characters.toLocaleString('en')} characters. The record keeps no prompts: this one was made of the goal and of the steps above, and can be made again from them.`}
        </p>
      )}
    </Part>
  );
}

function Outcomes({ type, data }: { type: string; data: unknown }) {
  if (type === 'call.completed') return <ReplyParts reply={(data as DataOf<'call.completed'>).reply} />;
  if (type === 'run.stepped') return <OutcomeParts outcome={(data as DataOf<'run.stepped'>).outcome} />;
  if (type === 'run.concluded') {
    const { outcome, result, baseline, tests, reason } = data as DataOf<'run.concluded'>;
    return (
      <>
        {outcome ? <OutcomeParts outcome={outcome} /> : null}
        <ResultParts result={result} reason={reason} />
        {baseline || tests ? <TestsBeforeAndAfter before={baseline} after={tests} /> : null}
      </>
    );
  }
  const { findings, tests } = (data ?? {}) as { findings?: Finding[]; tests?: TestReport };
  return (
    <>
      {findings && findings.length > 0 ? <Findings findings={findings} /> : null}
      {tests ? <TestsBeforeAndAfter after={tests} /> : null}
    </>
  );
}

function ReplyParts({ reply }: { reply: Reply }) {
  return (
    <>
      {reply.content ? (
        <Part title="Reply">
          <Output label="Reply" text={reply.content} />
        </Part>
      ) : null}
      {reply.toolCalls.map((call) => (
        <Part key={call.id} title={`Calls ${call.name}`}>
          <Json value={call.arguments ?? call.invalidArguments} />
        </Part>
      ))}
      <p className="m-0 mt-2 text-soft">
        {reply.inputTokens} tokens read, {reply.outputTokens} written
        {reply.tokensAreEstimated ? ' (estimated)' : ''}, {durationText(reply.durationMs)},{' '}
        {countText(reply.attempts, 'attempt')}
        {reply.requestId ? `, request ${reply.requestId}` : ''}
      </p>
    </>
  );
}

function OutcomeParts({ outcome }: { outcome: Outcome }) {
  return (
    <>
      {outcome.tests ? <TestsBeforeAndAfter after={outcome.tests} /> : null}
      {outcome.diff ? (
        <Part title="Change">
          <DiffView diff={outcome.diff} />
        </Part>
      ) : null}
      {outcome.output && !outcome.tests ? (
        <Part title={outcome.status === 'denied' ? 'Denied by the policy' : 'Output'}>
          <Output label="Output" text={outcome.output} />
        </Part>
      ) : null}
      {outcome.sandbox || outcome.commit ? (
        <p className="m-0 mt-2 text-soft">
          {outcome.sandbox ? `sandbox: ${outcome.sandbox === 'none' ? 'NONE' : outcome.sandbox}` : ''}
          {outcome.sandbox && outcome.commit ? ', ' : ''}
          {outcome.commit ? `commit ${outcome.commit.slice(0, 8)}` : ''}
        </p>
      ) : null}
    </>
  );
}

function ResultParts({ result, reason }: { result: Result | undefined; reason: string }) {
  if (!result) return reason ? <Part title="Why it ended">{reason}</Part> : null;
  if (result.role === 'planner')
    return (
      <Part title="Plan">
        <ol className="m-0 pl-5">
          {result.items.map((item, index) => (
            <li key={index}>
              {item.role}: {item.goal}
            </li>
          ))}
        </ol>
      </Part>
    );
  return (
    <>
      <Part title={result.role === 'reviewer' ? `Verdict: ${result.verdict}` : 'Summary'}>
        {result.summary}
      </Part>
      {result.role === 'reviewer' && result.findings.length > 0 ? (
        <Findings findings={result.findings} />
      ) : null}
    </>
  );
}

function Findings({ findings }: { findings: readonly Finding[] }) {
  return (
    <Part title="Findings">
      <ul className="m-0 list-none space-y-1.5 p-0">
        {findings.map((one) => (
          <li key={one.id} className="break-words">
            <Words spans={findingSpans(one)} />
          </li>
        ))}
      </ul>
    </Part>
  );
}
