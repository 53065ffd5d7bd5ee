import { styleText } from 'node:util';
import type { Span, Tone } from '../observability/span.ts';

/** Turns spans into text for one stream. */
export type Paint = (spans: Span[]) => string;

type Format = Parameters<typeof styleText>[0];

const formats: Record<Exclude<Tone, 'plain'>, Format> = {
  good: 'green',
  bad: 'red',
  warn: 'yellow',
  dim: 'dim',
  accent: 'cyan',
};

/** Colours on a terminal only, and never where NO_COLOR is set (https://no-color.org). */
export function openPaint(
  stream: { isTTY?: boolean | undefined },
  environment: Record<string, string | undefined>,
): Paint {
  const isColoured = stream.isTTY === true && !environment['NO_COLOR'];
  return (spans) =>
    spans
      .map(({ text, tone }) =>
        isColoured && tone !== 'plain' ? styleText(formats[tone], text, { validateStream: false }) : text,
      )
      .join('');
}
