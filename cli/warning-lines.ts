import { span, type Span } from '../observability/span.ts';

/** What may not be meant in a configuration, a line each, for a person who starts or checks it. */
export const warningLines = (warnings: string[]): Span[][] =>
  warnings.map((warning) => [span('warning: ', 'warn'), span(warning, 'plain', 600)]);
