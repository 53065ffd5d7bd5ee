import { isDeepStrictEqual } from 'node:util';
import { BackendError } from '../backend.ts';
import type { ModelRequest } from '../backend.ts';
import { questionOf } from './cassette.ts';
import type { Cassette, Question } from './cassette.ts';

/** The error for a request that a cassette has no reply to: what differs from the recording that is nearest. */
export function noRecordingFits(cassette: Cassette, request: ModelRequest): BackendError {
  const asked = questionOf(request);
  const recordings = cassette.recordings();
  const ofRole = recordings.map((one) => one.request).filter((one) => one.role === asked.role);
  const [nearest] = ofRole
    .map((one) => ({ one, alike: commonMessages(one, asked) }))
    .toSorted((a, b) => b.alike - a.alike || lengthsApart(a.one, asked) - lengthsApart(b.one, asked));
  const roles = [...new Set(recordings.map((one) => one.request.role))].join(', ') || 'nobody';
  const why = nearest
    ? difference(nearest.one, asked, nearest.alike)
    : `it was recorded for ${roles}, not for the role ${asked.role}`;
  const [line] = cassette.cutAtLines;
  const cut = line === undefined ? '' : ` (the recording at line ${line} was cut off while it was written)`;
  return new BackendError('permanent', `no recording in ${cassette.path} fits: ${why}${cut}`, {
    mend: 'record it again with the model that answered then, by `record` of its entry',
  });
}

function commonMessages(one: Question, other: Question): number {
  const first = one.messages.findIndex(
    (message, place) => !isDeepStrictEqual(message, other.messages[place]),
  );
  return first === -1 ? one.messages.length : first;
}

function lengthsApart(one: Question, other: Question): number {
  return Math.abs(one.messages.length - other.messages.length);
}

function difference(recorded: Question, asked: Question, alike: number): string {
  const before = recorded.messages[alike];
  const now = asked.messages[alike];
  const place = `message ${alike + 1} of ${asked.messages.length}`;
  if (now && before) {
    if (now.role !== before.role)
      return `${place} is of ${now.role}, and was of ${before.role} when it was recorded`;
    if (now.content !== before.content)
      return `${place} (${now.role}) differs ${textDifference(before.content, now.content)}`;
    return `${place} (${now.role}) differs ${textDifference(JSON.stringify(before), JSON.stringify(now))}`;
  }
  if (now) return `${place} (${now.role}) goes on where the recording ends: ${excerpt(now.content, 0)}`;
  if (before)
    return `it has ${asked.messages.length} messages, and ${recorded.messages.length} were recorded`;
  if (!isDeepStrictEqual(recorded.tools, asked.tools)) return toolDifference(recorded, asked);
  return 'the schema of the reply differs';
}

function toolDifference(recorded: Question, asked: Question): string {
  const before = new Map(recorded.tools.map((tool) => [tool.name, tool]));
  const now = new Map(asked.tools.map((tool) => [tool.name, tool]));
  const more = [...now.keys()].filter((name) => !before.has(name)).map((name) => `${name} is new`);
  const less = [...before.keys()].filter((name) => !now.has(name)).map((name) => `${name} is gone`);
  const changed = [...now]
    .filter(([name, tool]) => before.has(name) && !isDeepStrictEqual(before.get(name), tool))
    .map(([name]) => `${name} is described otherwise`);
  return `the tools differ: ${[...more, ...less, ...changed].join(', ') || 'they stand in another order'}`;
}

function textDifference(before: string, now: string): string {
  let place = 0;
  while (place < before.length && before[place] === now[place]) place += 1;
  return `from character ${place + 1} on: recorded ${excerpt(before, place)}, asked ${excerpt(now, place)}`;
}

function excerpt(text: string, from: number): string {
  const part = text.slice(from, from + 60);
  return part === ''
    ? 'nothing more'
    : JSON.stringify(part.length < text.length - from ? `${part}...` : part);
}
