import type { DataOf, EventOf } from '../schemas/catalogue.ts';
import type { Opens, Outcome, RunClaim, ToolStep } from '../schemas/run.ts';
import type { Static } from 'typebox';
import type { SpanAttributes } from './finished-span.ts';
import { known, spanIdOf } from './open-spans.ts';
import { runIdOf } from './run-view.ts';
import type { TaskSpans } from './spans.ts';
import type { RecordedEvent } from './task-view.ts';
import { keys, operations, spanEvents, taxonomy } from './taxonomy.ts';

type Claim = Static<typeof RunClaim>;
type Common = Record<string, string | number>;

/** What is kept of a run while it goes on. */
interface RunSoFar {
  tool?: ToolStep;
  claim?: Claim;
  /** The span of the tool call that is under way. */
  toolSpan?: string;
  steps: number;
  takeOvers: number;
  calls: number;
  inputTokens: number;
  outputTokens: number;
  costMicroDollars: number;
  wastedMicroDollars: number;
}

export interface RunSpans {
  /** The span that the event's own hangs below. */
  take(recorded: RecordedEvent, type: EventOf<'run'>, common: Common): string;
  /** Whose delivery holds the open step of a run. */
  holder(runId: string): Claim | undefined;
  /** A run that a person let begin after another was stopped. */
  follows(runId: string, before: string): void;
}

/** Spans of runs and of their tool calls. */
export function openRunSpans(task: TaskSpans): RunSpans {
  const { spans, taskId } = task;
  const runs = new Map<string, RunSoFar>();
  const before = new Map<string, string>();

  function take(recorded: RecordedEvent, type: EventOf<'run'>, common: Common): string {
    const { event, atMs } = recorded;
    const runId = runIdOf(recorded);
    const key = `run ${runId}`;
    const run = runs.get(runId) ?? fresh();
    runs.set(runId, run);
    const { given } = event.data as DataOf<'run.replied'>;
    begin(runId, recorded, common);
    const { outcome, opens, spend } = event.data as Partial<DataOf<'run.concluded'> & DataOf<'run.stepped'>>;
    if (spend) {
      run.calls += spend.calls;
      run.inputTokens += spend.inputTokens;
      run.outputTokens += spend.outputTokens;
      run.costMicroDollars += spend.costMicroDollars;
    }
    switch (type) {
      case 'run.started':
      case 'run.stepped':
        break;
      case 'run.replied': {
        const { correction } = event.data as DataOf<'run.replied'>;
        if (correction) spans.event(key, spanEvents.replyRefused, atMs, { [keys.why]: correction });
        break;
      }
      case 'run.rerouted': {
        const { why, callId } = event.data as DataOf<'run.rerouted'>;
        spans.event(key, spanEvents.runRerouted, atMs, { [keys.why]: why, [keys.callId]: callId });
        break;
      }
      case 'run.settled': {
        const { callId } = event.data as DataOf<'run.settled'>;
        run.wastedMicroDollars += spend?.costMicroDollars ?? 0;
        spans.event(key, spanEvents.lateAnswer, atMs, {
          [keys.callId]: callId,
          [keys.waste]: spend?.costMicroDollars ?? 0,
        });
        return task.runSpan(runId);
      }
      case 'run.taken_over': {
        const { from, claim, epoch } = event.data as DataOf<'run.taken_over'>;
        run.takeOvers += 1;
        spans.add(key, { [keys.isResumed]: true, [keys.takeOvers]: run.takeOvers });
        const said = { [keys.resumedFrom]: from, [keys.resumedBy]: claim.process, [keys.epoch]: epoch };
        spans.event(key, spanEvents.runResumed, atMs, said);
        const broken = run.toolSpan;
        endTool(runId, run, atMs, undefined, `${from} is gone; ${claim.process} goes on`);
        if (run.tool)
          beginTool(runId, run, { ...run.tool, claim, epoch, atMs: given.atMs }, common, { from, broken });
        return task.runSpan(runId);
      }
      case 'run.concluded':
        endTool(runId, run, atMs, outcome, outcome ? undefined : 'the run ended first');
        delete run.tool;
        conclude(runId, run, event.data as DataOf<'run.concluded'>, atMs);
        return task.runSpan(runId);
    }
    endTool(runId, run, atMs, outcome, outcome ? undefined : 'the step was closed by another');
    if (opens) open(runId, run, opens, common);
    return task.runSpan(runId);
  }

  function begin(runId: string, { event, atMs }: RecordedEvent, common: Common): void {
    const data = event.data as Partial<DataOf<'run.started'>>;
    const role = event.sender ?? '';
    const [choice] = data.choices ?? [];
    const followed = before.get(runId);
    const process = data.given?.claim?.process ?? data.given?.process ?? '';
    // Once it is over nothing begins it again but a late answer, which needs no span.
    if (runs.get(runId)!.steps < 0) return;
    spans.begin(`run ${runId}`, {
      id: task.runSpan(runId),
      parent: task.above(runId),
      name: taxonomy.run.name,
      kind: taxonomy.run.kind,
      startMs: data.given?.atMs ?? atMs,
      role,
      process,
      attributes: known({
        ...common,
        [keys.operation]: operations.invokeAgent,
        [keys.agent]: role,
        [keys.agentId]: process,
        [keys.conversation]: runId,
        [keys.item]: data.work?.itemIndex,
        [keys.model]: choice?.model,
        [keys.pool]: choice?.pool,
        [keys.provider]: choice?.backend,
        [keys.isResumed]: followed === undefined ? undefined : true,
      }),
      ...(followed === undefined
        ? {}
        : {
            links: [
              {
                spanId: task.runSpan(followed),
                attributes: { [keys.why]: 'a person let the task go on after it' },
              },
            ],
          }),
    });
  }

  function conclude(
    runId: string,
    run: RunSoFar,
    { ending, reason, result, tests, commit }: DataOf<'run.concluded'>,
    atMs: number,
  ): void {
    if (result?.role === 'reviewer')
      spans.add(`review ${runId}`, {
        [keys.verdict]: result.verdict,
        [keys.findings]: result.findings.length,
      });
    spans.end(
      `run ${runId}`,
      atMs,
      known({
        [keys.ending]: ending,
        [keys.why]: ending === 'done' ? undefined : reason,
        [keys.steps]: run.steps,
        [keys.calls]: run.calls,
        [keys.inputTokens]: run.inputTokens,
        [keys.outputTokens]: run.outputTokens,
        [keys.cost]: run.costMicroDollars,
        [keys.waste]: run.wastedMicroDollars || undefined,
        [keys.testsPassed]: tests?.passed,
        [keys.testsFailed]: tests?.failed,
        [keys.commit]: commit || undefined,
      }),
      ending === 'done' ? undefined : `${ending}: ${reason}`,
    );
    run.steps = -1;
  }

  function open(runId: string, run: RunSoFar, opens: Opens, common: Common): void {
    run.steps += 1;
    if (opens.kind === 'tool') beginTool(runId, run, opens, common);
    else delete run.tool;
  }

  function beginTool(
    runId: string,
    run: RunSoFar,
    step: ToolStep,
    common: Common,
    resumed?: { from: string; broken: string | undefined },
  ): void {
    const { number, epoch, tool, toolCallId, effect, claim, atMs } = step;
    run.tool = step;
    run.toolSpan = spanIdOf('tool', taskId, runId, number, epoch);
    spans.begin(`tool ${runId}`, {
      id: run.toolSpan,
      parent: task.runSpan(runId),
      name: taxonomy.tool.name,
      kind: taxonomy.tool.kind,
      startMs: atMs,
      role: String(common[keys.role] ?? ''),
      process: claim.process,
      attributes: known({
        ...common,
        [keys.operation]: operations.executeTool,
        [keys.tool]: tool,
        [keys.toolCallId]: toolCallId,
        [keys.conversation]: runId,
        [keys.step]: number,
        [keys.effect]: effect,
        [keys.epoch]: epoch,
        [keys.isResumed]: resumed ? true : undefined,
        [keys.resumedFrom]: resumed?.from,
      }),
      ...(resumed?.broken === undefined
        ? {}
        : {
            links: [
              { spanId: resumed.broken, attributes: { [keys.why]: 'it goes on where this broke off' } },
            ],
          }),
    });
  }

  function endTool(
    runId: string,
    run: RunSoFar,
    atMs: number,
    outcome: Outcome | undefined,
    error: string | undefined,
  ): void {
    delete run.toolSpan;
    if (!outcome) return spans.end(`tool ${runId}`, atMs, {}, error);
    const { status, sandbox, exitCode, commit, adopted, tests } = outcome;
    const attributes: SpanAttributes = known({
      [keys.stepStatus]: status,
      [keys.sandbox]: sandbox ?? tests?.sandbox,
      [keys.exitCode]: exitCode ?? tests?.exitCode,
      [keys.commit]: commit,
      [keys.isAdopted]: adopted,
      [keys.testsPassed]: tests?.passed,
      [keys.testsFailed]: tests?.failed,
      [keys.errorType]: status === 'ok' ? undefined : status,
    });
    // What a tool wrote may be anything: it stays in the record.
    spans.end(`tool ${runId}`, atMs, attributes, status === 'ok' ? undefined : `the tool call was ${status}`);
  }

  return {
    take,
    holder: (runId) => runs.get(runId)?.tool?.claim,
    follows: (runId, previous) => void before.set(runId, previous),
  };
}

const fresh = (): RunSoFar => ({
  steps: 0,
  takeOvers: 0,
  calls: 0,
  inputTokens: 0,
  outputTokens: 0,
  costMicroDollars: 0,
  wastedMicroDollars: 0,
});
