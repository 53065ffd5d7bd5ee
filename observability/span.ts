/** What a piece of text is, so that a terminal and a page can colour it each in its own way. */
export type Tone = 'plain' | 'good' | 'bad' | 'warn' | 'dim' | 'accent';

export interface Span {
  text: string;
  tone: Tone;
}

/** One event as a person reads it. */
export interface Line {
  spans: Span[];
  /** What belongs below the line: findings, reasons, the command that mends it. */
  details: Span[][];
  /** True for what only a closer look wants to see: the inside of a model call, for instance. */
  isDetail: boolean;
}

/** What a line says behind its time and role. */
export interface Words {
  glyph: string;
  tone: Tone;
  spans: Span[];
  details?: Span[][];
  isDetail?: boolean;
}

// Terminals obey control characters, and what an agent or a program wrote is not to be obeyed.
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g;

// Colours and titles go whole, or what follows the escape character would be left as rubbish.
const sequences = /\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]/g;

/** Text from anywhere, on one line and harmless to a terminal, at most `most` characters. */
export function plainText(text: string, most = 400): string {
  const flat = text.replaceAll(sequences, '').replaceAll(controls, ' ').replaceAll(/ {2,}/g, ' ').trim();
  return flat.length > most ? `${flat.slice(0, most - 1)}…` : flat;
}

/** A span whose text may come from anywhere. */
export function span(text: string, tone: Tone = 'plain', most?: number): Span {
  const lead = /^ */.exec(text)![0];
  const trail = text.length > lead.length ? / *$/.exec(text)![0] : '';
  return { text: `${lead}${plainText(text, most)}${trail}`, tone };
}

/** A span that keeps its blanks, for code; a tab is four of them. */
export function verbatim(text: string, tone: Tone = 'plain', most = 200): Span {
  const flat = text.replaceAll(sequences, '').replaceAll('\t', '    ').replaceAll(controls, ' ');
  return { text: flat.length > most ? `${flat.slice(0, most - 1)}…` : flat, tone };
}

/** Spans without tones, joined; for logs and tests. */
export function textOf(spans: Span[]): string {
  return spans.map((one) => one.text).join('');
}
