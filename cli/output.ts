import { quoteWord } from '../schemas/command-line.ts';
import { span, type Line, type Span } from '../observability/span.ts';
import type { Failure } from './failure.ts';
import { openPaint } from './paint.ts';

/** Where a command speaks: its result to standard output, everything else to standard error. */
export interface Output {
  isJson: boolean;
  /** The one result; with `--json` the value as one document, else the lines. */
  result(value: unknown, lines: Span[][] | string): void;
  /** One of many results, before the last: a line of JSON with `--json`, else a line of text. */
  entry(value: unknown, lines: Span[][] | string): void;
  /** The last line after entries: with `--json` it is `{"result": ...}`. */
  lastResult(value: unknown, lines: Span[][] | string): void;
  /** For a person who watches; never a result. */
  progress(lines: Span[][] | string): void;
  failure(failure: Failure): void;
}

export interface Streams {
  out: NodeJS.WriteStream;
  error: NodeJS.WriteStream;
  environment: Record<string, string | undefined>;
  /** The state folder that was named by `--state`: commands that are shown name it too, so that they work as they stand. */
  stateDirectory?: string | undefined;
}

export function openOutput(isJson: boolean, streams: Streams): Output {
  const paintOut = openPaint(streams.out, streams.environment);
  const paintError = openPaint(streams.error, streams.environment);
  const write = (stream: NodeJS.WriteStream, paint: typeof paintOut, lines: Span[][] | string) => {
    const text = withState(
      typeof lines === 'string' ? lines : lines.map(paint).join('\n'),
      streams.stateDirectory,
    );
    if (text !== '') stream.write(`${text}\n`);
  };
  const json = (value: unknown) => void streams.out.write(`${JSON.stringify(value)}\n`);
  const say = (value: unknown, lines: Span[][] | string) =>
    isJson ? json(value) : write(streams.out, paintOut, lines);
  return {
    isJson,
    result: say,
    entry: say,
    lastResult: (value, lines) => say({ result: value }, lines),
    progress: (lines) => write(streams.error, paintError, lines),
    failure({ problems, mend, exitCode }) {
      write(streams.error, paintError, [
        ...problems.map((problem) => [
          span('switchyard: ', 'bad'),
          { text: problem, tone: 'plain' as const },
        ]),
        ...(mend ? [[span('  to mend it: ', 'dim'), span(mend, 'accent')]] : []),
      ]);
      if (isJson && problems.length > 0) json({ error: { problems, ...(mend ? { mend } : {}), exitCode } });
    },
  };
}

/**
 * `./switchyard apply ID` -> `./switchyard --state DIR apply ID`, where a folder was named. Help is the same for every
 * folder, and credentials are exported from that of another host.
 */
export function withState(text: string, stateDirectory: string | undefined): string {
  if (!stateDirectory) return text;
  const named = `./switchyard --state ${quoteWord(stateDirectory)} `;
  return text.replaceAll(/\.\/switchyard (?!credentials |[a-z -]*--help)/g, () => named);
}

/** A line of the timeline with what belongs below it, indented. */
export function linesText(line: Line): Span[][] {
  return [line.spans, ...line.details.map((detail) => [span(' '.repeat(21)), ...detail])];
}
