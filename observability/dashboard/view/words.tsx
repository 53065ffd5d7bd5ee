import type { Span } from '../../span.ts';

/** A line of the timeline, in the tones that a terminal has too. */
export function Words({ spans }: { spans: readonly Span[] }) {
  return spans.map((one, index) => (
    <span key={index} className={one.tone === 'plain' ? undefined : `tone-${one.tone}`}>
      {one.text}
    </span>
  ));
}
