import type { Opens } from '../schemas/run.ts';
import type { Choice, Finding, Spend, TestReport } from '../schemas/work.ts';
import { plainText, span, type Span } from './span.ts';

/** `12ms`, `0.4s`, `12.3s`, `4m05s`, `1h02m`. */
export function durationText(milliseconds: number): string {
  const lasts = Math.round(Math.max(0, milliseconds));
  // Of what is this short, tenths of a second say nothing.
  return lasts < 100 ? `${lasts}ms` : secondsText(lasts);
}

/** `+0.0s`, `+4m05s`: when it was, since a start; all in a column have their seconds at one place. */
export const offsetText = (milliseconds: number): string => `+${secondsText(Math.max(0, milliseconds))}`;

function secondsText(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  const pad = (value: number) => String(value).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)}m${pad(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h${pad(Math.floor((whole % 3600) / 60))}m`;
}

/** `$0.0041`; a dollar is 1000000 micro-dollars. */
export function moneyText(microDollars: number): string {
  return `$${(microDollars / 1_000_000).toFixed(microDollars >= 1_000_000 ? 2 : 4)}`;
}

export function countText(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

export function spendText(spend: Spend): string {
  const tokens = `${spend.inputTokens}+${spend.outputTokens} tokens`;
  return `${countText(spend.calls, 'model call')}, ${tokens}, ${moneyText(spend.costMicroDollars)}`;
}

/** `9 of 11 tests pass`, or what can be said where the output does not tell. */
export function testsText(tests: Pick<TestReport, 'testsPass' | 'passed' | 'failed' | 'exitCode'>): string {
  const { passed, failed } = tests;
  if (passed !== null && failed !== null) {
    return failed === 0 && tests.testsPass
      ? `${passed}/${passed} tests pass`
      : `${passed}/${passed + failed} tests pass`;
  }
  return tests.testsPass ? 'the tests pass' : `the tests fail (exit code ${tests.exitCode})`;
}

/** The start of a commit's or an event's id. */
export const shortId = (id: string) => plainText(id).slice(0, 8);

/** Replies that were written beforehand are never shown as a model's. */
export function modelText(choice: Pick<Choice, 'model' | 'backend'> | undefined): string {
  if (!choice) return 'a model';
  if (choice.backend !== 'scripted') return choice.model;
  return choice.model === 'scripted' ? 'scripted replies' : `${choice.model} (scripted)`;
}

/** What a step does, in a few words: `edit-file slots.js`. */
export function stepText(step: Opens | undefined): string {
  if (!step) return 'a step';
  if (step.kind === 'call') return 'asking the model';
  return actionText(step.tool, step.arguments);
}

/** `edit-file slots.js`, `run-program node --test`. */
export function actionText(tool: string, given: unknown): string {
  const args = (given ?? {}) as Record<string, unknown>;
  if (tool === 'prepare') return 'prepare the workspace';
  const subject = ['path', 'pattern', 'argv', 'program', 'command']
    .map((name) => args[name])
    .find((value) => value !== undefined);
  const words = Array.isArray(subject) ? subject.join(' ') : typeof subject === 'string' ? subject : '';
  return plainText(words === '' ? tool : `${tool} ${words}`, 80);
}

/** A finding below a line. */
export function findingSpans(finding: Finding): Span[] {
  const place = finding.file ? `${finding.file}${finding.line ? `:${finding.line}` : ''} ` : '';
  const isBlocking = finding.severity === 'blocking';
  return [
    span(isBlocking ? 'blocking ' : 'advice ', isBlocking ? 'bad' : 'warn'),
    span(`${finding.id} `, 'accent'),
    span(place, 'dim'),
    span(finding.evidence, 'plain', 200),
  ];
}

/** `+12 -3 lines` of a unified diff. */
export function diffText(diff: string): string {
  const lines = diff.split('\n');
  const count = (sign: string) =>
    lines.filter((line) => line.startsWith(sign) && !line.startsWith(sign.repeat(3))).length;
  return `+${count('+')} -${count('-')} lines`;
}
