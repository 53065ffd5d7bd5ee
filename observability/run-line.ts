import type { Reply } from '../schemas/call.ts';
import type { DataOf, EventOf } from '../schemas/catalogue.ts';
import type { Opens, Outcome } from '../schemas/run.ts';
import { span, type Span, type Tone, type Words } from './span.ts';
import type { RecordedEvent, TaskView } from './task-view.ts';
import { runIdOf, type RunView } from './run-view.ts';
import {
  actionText,
  countText,
  diffText,
  durationText,
  findingSpans,
  modelText,
  shortId,
  stepText,
  testsText,
} from './wording.ts';

/** What an event of a run says. `view` is that after the event. */
export function runLine(type: EventOf<'run'>, recorded: RecordedEvent, view: TaskView): Words {
  const { data } = recorded.event;
  const run = view.runs[runIdOf(recorded)];
  switch (type) {
    case 'run.started': {
      const { choices, opens } = data as DataOf<'run.started'>;
      return {
        glyph: '●',
        tone: 'accent',
        spans: [
          span('starts with '),
          span(modelText(choices[0]), 'accent'),
          span(`: ${nextText(opens, run)}`, 'dim'),
        ],
      };
    }
    case 'run.replied': {
      const { reply, correction, opens } = data as DataOf<'run.replied'>;
      return {
        glyph: correction ? '!' : '◂',
        tone: correction ? 'warn' : 'plain',
        spans: [
          span(modelOfClosed(run), 'accent'),
          ...(correction
            ? [span(': cannot be used: ', 'warn'), span(correction, 'plain', 160)]
            : replySpans(reply as Reply, opens)),
        ],
      };
    }
    case 'run.stepped': {
      const { outcome } = data as DataOf<'run.stepped'>;
      return {
        ...outcomeGlyph(outcome),
        spans: outcomeSpans(outcome, run),
        details: outcomeDetails(outcome),
      };
    }
    case 'run.taken_over': {
      const { number, claim, from } = data as DataOf<'run.taken_over'>;
      const after = view.takeOvers.at(-1)?.afterMs ?? 0;
      return {
        glyph: '⇄',
        tone: 'warn',
        spans: [
          span(`${from} is gone; `, 'warn'),
          span(claim.process, 'accent'),
          span(
            ` goes on with step ${number} (${stepText(run?.open)}), ${durationText(after)} after it was declared`,
          ),
        ],
      };
    }
    case 'run.rerouted': {
      const { why, opens } = data as DataOf<'run.rerouted'>;
      const next = modelText(run?.choices[opens.choice]);
      return {
        glyph: '↷',
        tone: 'warn',
        spans: [
          span(`${modelOfClosed(run)}: `, 'accent'),
          span(why, 'warn', 160),
          span(`; asks ${next} instead`),
        ],
      };
    }
    case 'run.settled': {
      const { callId, spend } = data as DataOf<'run.settled'>;
      return {
        glyph: '·',
        tone: 'dim',
        isDetail: true,
        spans: [
          span(
            `a late answer to call ${shortId(callId)}: only its ${countText(spend.calls, 'call')} counts`,
            'dim',
          ),
        ],
      };
    }
    case 'run.concluded':
      return concludedLine(data as DataOf<'run.concluded'>, run);
  }
}

function concludedLine(concluded: DataOf<'run.concluded'>, run: RunView | undefined): Words {
  const { ending, reason, result, tests, outcome } = concluded;
  const isGood = ending === 'done';
  const verdict = result?.role === 'reviewer' ? result.verdict : undefined;
  const tone: Tone = verdict && verdict !== 'approve' ? 'warn' : isGood ? 'good' : 'bad';
  const what = verdict
    ? { approve: 'approves', changes: 'asks for changes', blocked: 'cannot judge it' }[verdict]
    : isGood
      ? 'is done'
      : `ends (${ending.replaceAll('_', ' ')})`;
  const summary = result && 'summary' in result ? result.summary : isGood ? '' : reason;
  return {
    glyph: isGood ? '■' : '✗',
    tone,
    spans: [
      span(what, tone),
      ...(tests && !verdict ? [span(`, ${testsText(tests)}`, tests.testsPass ? 'good' : 'bad')] : []),
      ...(summary ? [span(': '), span(summary, 'plain', 200)] : []),
      // The reason names the bound; the step that is kept for the tests would make it look like another number.
      ...(run && ending !== 'steps' ? [span(`  (${countText(run.steps, 'step')})`, 'dim')] : []),
    ],
    details: [
      ...(outcome ? outcomeDetails(outcome) : []),
      // Blocking findings stand below the manager's line, which says what becomes of them.
      ...(result?.role === 'reviewer'
        ? result.findings.filter((one) => one.severity === 'advice').map(findingSpans)
        : []),
      ...(result?.role === 'planner'
        ? result.items.map((item, index) => [span(`${index + 1}. ${item.role}: `, 'dim'), span(item.goal)])
        : []),
    ],
  };
}

/** `answers: edit-file slots.js (920+106 tokens, 1.8s)`. */
function replySpans(reply: Reply, opens: Opens): Span[] {
  const calls = (reply.toolCalls ?? []).map((call) => actionText(call.name, call.arguments));
  const says = calls.length > 0 ? calls.join('; ') : stepText(opens);
  const tokens = `${reply.inputTokens}+${reply.outputTokens}${reply.tokensAreEstimated ? ' tokens, estimated' : ' tokens'}`;
  return [
    span(': ', 'dim'),
    span(says, 'plain', 160),
    span(` (${tokens}, ${durationText(reply.durationMs)})`, 'dim'),
  ];
}

function outcomeSpans(outcome: Outcome, run: RunView | undefined): Span[] {
  const step = run?.closed;
  const isBaseline = step?.kind === 'tool' && step.tool === 'prepare';
  const { tests, commit, status, durationMs, sandbox, diff } = outcome;
  const tone: Tone = status === 'ok' ? 'plain' : status === 'denied' ? 'warn' : 'bad';
  const said =
    status === 'ok' ? (tests || commit || isBaseline ? '' : firstLine(outcome.output)) : outcome.output;
  return [
    span(
      isBaseline && tests
        ? 'tests before any change'
        : isBaseline && diff !== undefined
          ? `reads the change so far (${diffText(diff)})`
          : stepText(step),
      tone,
    ),
    ...(status === 'ok'
      ? []
      : [span(status === 'denied' ? ' DENIED' : ' failed', status === 'denied' ? 'warn' : 'bad')]),
    ...(tests
      ? [span(`: ${testsText(tests)}`, tests.testsPass ? 'good' : 'warn')]
      : said
        ? [span(': ', tone), span(said, tone, 140)]
        : []),
    ...(commit ? [span(`, commit ${shortId(commit)}`, 'dim')] : []),
    ...(outcome.adopted ? [span(', found done after a restart: nothing repeated', 'good')] : []),
    ...(durationMs === undefined
      ? []
      : [span(`  (${durationText(durationMs)}${sandbox === 'none' ? ', WITHOUT a sandbox' : ''})`, 'dim')]),
  ];
}

function outcomeDetails({ tests }: Outcome): Span[][] {
  if (!tests || tests.restored.length === 0) return [];
  return [[span(`protected files put back before judging: ${tests.restored.join(', ')}`, 'warn')]];
}

function outcomeGlyph({ status, tests }: Outcome): { glyph: string; tone: Tone } {
  if (status === 'denied') return { glyph: '⊘', tone: 'warn' };
  if (status === 'failed') return { glyph: '✗', tone: 'bad' };
  return { glyph: '▪', tone: tests?.testsPass ? 'good' : 'plain' };
}

const firstLine = (text: string) => text.split('\n').find((line) => line.trim() !== '') ?? '';
const nextText = (opens: Opens, run: RunView | undefined) =>
  opens.kind === 'call' ? `asks ${modelText(run?.choices[opens.choice])}` : stepText(opens);

/** The model whose answer, or silence, the last event was about. */
function modelOfClosed(run: RunView | undefined): string {
  const closed = run?.closed;
  return modelText(closed?.kind === 'call' ? run?.choices[closed.choice] : run?.choices[0]);
}
