import type { Static } from 'typebox';
import type { ModelMessage } from '../schemas/call.ts';
import { estimateTokens } from './tokens.ts';

export type Message = Static<typeof ModelMessage>;

/** The system prompt and the brief; the turns come after them. */
const headLength = 2;
/** The turns that the model is at work on; they are the last to be cut. */
const latest = 4;
/** How much of what is old is kept at first, and from which length on. */
const oldExcerpt = { from: 400, keep: 120 };
/** What every text is cut to, step by step, until all fit; the brief, which holds the goal, to four times as much. */
const tighter = [8000, 4000, 2000, 1000, 500, 200];

/**
 * Cuts messages to about `tokens`, always openly, the oldest outputs and arguments first. No message is dropped: every
 * tool call keeps its answer, and a model still sees what it did. What is left may be too long where there are too many.
 */
export function shorten(messages: readonly Message[], tokens: number): Message[] {
  const short = [...messages];
  let sum = estimateTokens(short);
  const kept = messages.map(() => Infinity);
  const cutAt = (place: number, keep: number) => {
    if (keep >= kept[place]!) return;
    kept[place] = keep;
    // From the whole each time, so that the note tells how much of it is gone.
    const after = cut(messages[place]!, keep);
    sum += estimateTokens([after]) - estimateTokens([short[place]]);
    short[place] = after;
  };
  for (let place = headLength; place < short.length - latest && sum > tokens; place += 1) {
    if (longest(short[place]!) >= oldExcerpt.from) cutAt(place, oldExcerpt.keep);
  }
  for (const keep of tighter) {
    for (let place = 1; place < short.length && sum > tokens; place += 1) {
      cutAt(place, place < headLength ? keep * 4 : keep);
    }
  }
  return short;
}

function longest(message: Message): number {
  if (message.role !== 'assistant') return message.content.length;
  return Math.max(message.content.length, JSON.stringify(message.toolCalls).length);
}

function cut(message: Message, keep: number): Message {
  const content = cutText(message.content, keep);
  if (message.role !== 'assistant') return { ...message, content };
  return { ...message, content, toolCalls: cutTexts(message.toolCalls, keep) as typeof message.toolCalls };
}

/** Whole files stand in the arguments of calls. */
function cutTexts(value: unknown, keep: number): unknown {
  if (typeof value === 'string') return cutText(value, keep);
  if (Array.isArray(value)) return value.map((one) => cutTexts(one, keep));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, name === 'id' ? one : cutTexts(one, keep)]),
  );
}

/** Keeps the head and the tail: a goal stands first, a test runner's verdict last. */
function cutText(text: string, keep: number): string {
  const left = text.length - keep;
  // Where the note would be as long as what it replaces, nothing is won.
  if (left < 100) return text;
  const head = Math.ceil((keep * 2) / 3);
  return `${text.slice(0, head)}\n[${left} characters are left out here to fit the context window]\n${text.slice(text.length - (keep - head))}`;
}
