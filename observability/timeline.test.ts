import { expect, test } from 'vitest';
import { catalogue, type DataOf, type TypeName } from '../schemas/catalogue.ts';
import { shortType, type Envelope } from '../schemas/envelope.ts';
import { examples, exampleEvent } from '../schemas/examples.ts';
import { textOf, type Line } from './span.ts';
import { advanceView, emptyView, viewOf, type RecordedEvent } from './task-view.ts';
import { lineOf, linesOf } from './timeline.ts';

const taskId = exampleEvent('task.accepted').subject!;
const beganAtMs = Date.UTC(2026, 0, 31, 9, 30);

/** An event of the task as it stands in the record, `atMs` after its beginning. */
function recorded<Name extends TypeName>(
  type: Name,
  more: Partial<DataOf<Name>> = {},
  afterMs = 0,
  sender?: string,
): RecordedEvent {
  const example = exampleEvent(type);
  const event: Envelope = {
    ...example,
    ...(sender ? { sender } : {}),
    data: { ...(examples[type] as object), ...more },
  };
  return { journal: journalOf(type, event), sequence: afterMs + 1, event, atMs: beganAtMs + afterMs };
}

function journalOf(type: TypeName, event: Envelope): string {
  const { runId, callId, work } = event.data as { runId?: string; callId?: string; work?: { runId: string } };
  const head = `yard.event.${taskId}`;
  if (type.startsWith('run.'))
    return `${head}.run.${event.sender}.${work?.runId ?? runId ?? examples['run.started'].work.runId}`;
  if (type.startsWith('call.')) return `${head}.call.${callId}`;
  return `${head}.${type.split('.')[0]}`;
}

const wholeText = (line: Line) => [line.spans, ...line.details].map(textOf).join('\n');
const lastLine = (events: RecordedEvent[]) => wholeText(linesOf(events).at(-1)!);

const eventTypes = catalogue.filter((row) => row.kind === 'event').map((row) => row.type);

test('timeline: the catalogue has events to be told', () => {
  expect(eventTypes.length).toBeGreaterThan(25);
});

test.each(eventTypes)('timeline: %s has a line of its own that says who and when', (type) => {
  const one = recorded(type, {}, 1500);
  const [first, line] = linesOf([recorded('task.accepted'), one]);
  expect(first).toBeDefined();
  const said = textOf(line!.spans);
  expect(said).toContain('+1.5s');
  expect(said).toContain(one.event.sender);
  expect(said).not.toContain('does not know');
  expect(said).not.toMatch(/undefined|NaN|\[object/);
  // More than its head: time, glyph and role.
  expect(wholeText(line!).length).toBeGreaterThan(35);
});

test('timeline: no two kinds of event say the same', () => {
  const said = eventTypes.map((type) =>
    textOf(linesOf([recorded('task.accepted'), recorded(type)]).at(-1)!.spans).slice(21),
  );
  expect(new Set(said).size).toBe(eventTypes.length);
});

test('timeline: an event of a later version is shown by its name', () => {
  const event = { ...exampleEvent('task.accepted'), type: 'dev.switchyard.task.dreamt.v1' };
  expect(shortType(event.type)).toBe('task.dreamt');
  const one = { journal: `yard.event.${taskId}.task`, sequence: 9, event, atMs: beganAtMs };
  expect(wholeText(lineOf(one, advanceView(emptyView, one)))).toContain('does not know: task.dreamt');
});

test('timeline: scripted replies are called scripted wherever a model is named', () => {
  const [choice] = examples['run.started'].choices;
  const scripted = [{ ...choice!, backend: 'scripted' }];
  const started = recorded('run.started', { choices: scripted }, 0, 'coder');
  const lines = [
    [recorded('route.decided', { choices: scripted })],
    [started],
    [started, recorded('run.replied', {}, 10, 'coder')],
    [recorded('call.intended', { backend: 'scripted' })],
    [recorded('call.completed', { backend: 'scripted' })],
    [recorded('call.failed', { backend: 'scripted' })],
  ].map(lastLine);
  for (const line of lines) expect(line).toContain('small-coder (scripted)');
  expect(viewOf([started]).isScripted).toBe(true);
  expect(viewOf([recorded('run.started', {}, 0, 'coder')]).isScripted).toBe(false);
});

test('timeline: a revision says how many review cycles are left of how many, and what was found', () => {
  const line = lastLine([recorded('task.accepted'), recorded('task.revision_requested', {}, 5000)]);
  expect(line).toContain('review cycles left 1/2');
  expect(line).toContain('hop 2/5');
  expect(line).toContain('blocking mutates-argument slots.js:12');
});

test('timeline: a pause shows why and the very command that resumes it', () => {
  const line = lastLine([recorded('task.accepted'), recorded('task.paused')]);
  expect(line).toContain('paused (review): no review cycle is left');
  expect(line).toContain(`./switchyard resume ${taskId} --cycles 1`);
});

test('timeline: a failure shows why and the very command that submits it again', () => {
  const begun = recorded('task.accepted', { unattended: true });
  expect(lastLine([begun])).toContain('unattended: it fails where it would need a person');
  const line = lastLine([begun, recorded('task.failed')]);
  expect(line).toContain('failed (budget): the budget is used up before the next run');
  expect(line).toContain("./switchyard submit --repo /srv/code/meeting-slots --test 'node --test'");
});

test('timeline: a denial stands out, and a step without a sandbox says so', () => {
  const step = examples['run.replied'].opens;
  const started = recorded('run.started', { opens: step }, 0, 'coder');
  const denied = lastLine([
    started,
    recorded('run.stepped', { outcome: { status: 'denied', output: 'outside the workspace' } }, 10, 'coder'),
  ]);
  expect(denied).toContain('edit-file slots.js DENIED: outside the workspace');
  const bare = lastLine([
    started,
    recorded(
      'run.stepped',
      { outcome: { status: 'ok', output: 'x', durationMs: 9, sandbox: 'none' } },
      10,
      'coder',
    ),
  ]);
  expect(bare).toContain('WITHOUT a sandbox');
});

test('timeline: what an agent wrote cannot steer a terminal', () => {
  const goal = 'red \u001b[31m\u001b]0;title\u0007 and\r\nnew \u202Eline';
  const line = lastLine([recorded('task.accepted', { goal })]);
  expect(line.split('\n')[0]).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
  expect(line).toMatch(/red and new line/);
  expect(line).not.toMatch(/\[31m|title/);
});

test('timeline: a run that used its steps names one number of them', () => {
  const reason = 'the run has used its 60 steps';
  const concluded = (ending: 'steps' | 'red') =>
    lastLine([
      recorded('run.started', {}, 0, 'coder'),
      recorded('run.concluded', { ending, reason, result: undefined }, 10, 'coder'),
    ]);
  expect(concluded('steps')).toContain(reason);
  expect(concluded('steps')).not.toMatch(/\(\d+ steps?\)/);
  expect(concluded('red')).toMatch(/\(1 step\)/);
});
