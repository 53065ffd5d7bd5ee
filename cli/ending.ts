import { span, verbatim, type Span } from '../observability/span.ts';
import { elapsedMs, type TaskView } from '../observability/task-view.ts';
import {
  countText,
  durationText,
  findingSpans,
  shortId,
  spendText,
  testsText,
} from '../observability/wording.ts';
import { exitCodes, type ExitCode } from './exit-codes.ts';

/** The exit code that a task's end means, or undefined while it goes on. A pause ends a wait: a person is needed. */
export function exitCodeOf(view: Pick<TaskView, 'state'>): ExitCode | undefined {
  switch (view.state) {
    case 'completed':
      return exitCodes.done;
    case 'failed':
    case 'rejected':
      return exitCodes.unsuccessful;
    case 'cancelled':
      return exitCodes.cancelled;
    case 'paused':
      return exitCodes.paused;
    case 'queued':
    case 'running':
    case 'waiting':
      return undefined;
  }
}

/** What applies to a task in its state: commands, ready to be typed. */
export function whatApplies(view: TaskView): string[] {
  const id = view.taskId;
  switch (view.state) {
    case 'queued':
    case 'running':
    case 'waiting':
      return [
        ...(view.waiting ? [view.waiting.mend] : []),
        // Nobody would let it go on.
        ...(view.isUnattended ? [] : [`./switchyard pause ${id}`]),
        `./switchyard cancel ${id}`,
      ];
    case 'paused':
      return [...(view.pause ? [view.pause.mend] : []), `./switchyard cancel ${id}`];
    case 'completed':
      return [`./switchyard apply ${id}`];
    case 'failed':
    case 'rejected':
    case 'cancelled':
      return [view.mend ?? './switchyard submit --help'];
  }
}

const diffLines = 60;

/** How a task ended, or how it stands, as a person reads it. */
export function endingText(view: TaskView, nowMs: number): Span[][] {
  const tone = view.state === 'completed' ? 'good' : view.state === 'paused' ? 'warn' : 'bad';
  const row = (name: string, ...spans: Span[]): Span[] => [span(`  ${name.padEnd(8)} `, 'dim'), ...spans];
  const { limits, work, pause, testsBefore, testsAfter } = view;
  const cyclesLeft =
    work && limits
      ? `review cycles left ${work.cyclesLeft}/${Math.max(limits.cycles, work.cyclesLeft)}, `
      : '';
  const hops = work && limits ? `hops ${work.hop}/${limits.hops}` : '';
  return [
    [],
    [
      span(view.state, tone),
      span(` ${view.taskId}`),
      ...(view.isScripted
        ? [span('  scripted: the replies were written beforehand, not by a model', 'warn')]
        : []),
    ],
    ...(view.goal ? [row('goal', span(view.goal, 'plain', 160))] : []),
    ...view.reasons.map((reason) => row('reason', span(reason, tone))),
    ...(pause ? [row('why', span(pause.reason, 'warn')), row('go on', span(pause.mend, 'accent'))] : []),
    ...(view.mend ? [row('again', span(view.mend, 'accent'))] : []),
    ...(testsBefore || testsAfter
      ? [
          row(
            'tests',
            span(testsBefore ? `before: ${testsText(testsBefore)}; ` : ''),
            span(
              `after: ${testsAfter ? testsText(testsAfter) : 'not run'}`,
              testsAfter?.testsPass ? 'good' : 'warn',
            ),
            ...([testsBefore, testsAfter].some((tests) => tests?.sandbox === 'none')
              ? [span('; run WITHOUT a sandbox', 'warn')]
              : []),
          ),
        ]
      : []),
    ...(work ? [row('bounds', span(`${cyclesLeft}${hops}`))] : []),
    ...(view.askedFor.length > 0 && view.state === 'completed'
      ? [
          row('review', span(`asked for ${countText(view.askedFor.length, 'change')}, made; then approved`)),
          ...view.askedFor.map((finding) => row('made', ...findingSpans(finding))),
        ]
      : []),
    ...view.findings.map((finding) => row('finding', ...findingSpans(finding))),
    ...(view.takeOvers.length > 0
      ? [
          row(
            'crashes',
            span(
              `${countText(view.takeOvers.length, 'process', 'processes')} died at work; another went on each time`,
            ),
          ),
        ]
      : []),
    ...(view.denials.length > 0 ? [row('denied', span(deniedText(view.denials)))] : []),
    ...(view.spend.calls > 0 ? [row('spent', span(spendText(view.spend)))] : []),
    row('time', span(durationText(elapsedMs(view, nowMs)))),
    ...(view.commit && view.branch
      ? [
          row(
            'branch',
            span(`${view.branch} at ${shortId(view.commit)}`),
            span('; your checkout is as it was', 'dim'),
          ),
        ]
      : []),
    ...(view.state === 'completed'
      ? [row('apply', span(`./switchyard apply ${view.taskId}`, 'accent'))]
      : []),
    ...(view.state === 'completed' && view.diff ? diffText(view.diff) : []),
  ];
}

/** Each kind of denial once: every run of a task tries the same. */
function deniedText(denials: TaskView['denials']): string {
  const times = new Map<string, number>();
  for (const { action } of denials) times.set(action, (times.get(action) ?? 0) + 1);
  return [...times].map(([action, count]) => (count > 1 ? `${action} (${count} times)` : action)).join('; ');
}

function diffText(diff: string): Span[][] {
  const lines = diff.trimEnd().split('\n');
  const shown = lines.slice(0, diffLines).map((line): Span[] => {
    const tone = /^(\+\+\+|---|diff |index )/.test(line)
      ? 'dim'
      : line.startsWith('+')
        ? 'good'
        : line.startsWith('-')
          ? 'bad'
          : line.startsWith('@@')
            ? 'accent'
            : 'plain';
    return [verbatim(`  ${line}`, tone)];
  });
  const more = lines.length - shown.length;
  return [[], ...shown, ...(more > 0 ? [[span(`  ... ${countText(more, 'more line')}`, 'dim')]] : [])];
}

/** The same for programs. */
export function endingData(view: TaskView, nowMs: number): Record<string, unknown> {
  const { openCalls: _calls, settledSpend: _settled, calledSpend: _called, runs, ...rest } = view;
  const list = Object.values(runs).map(({ runId, role, steps, ending, reason, startedAtMs, endedAtMs }) => ({
    runId,
    role,
    steps,
    ending,
    reason,
    startedAtMs,
    endedAtMs,
  }));
  return { ...rest, runs: list, elapsedMs: elapsedMs(view, nowMs), exitCode: exitCodeOf(view) };
}
