import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ModelDefinition, ModelMessage, ModelRequest } from '../backend.ts';
import { scripted } from './scripted.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchyard-script-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const script = `
- role: coder
  whenPromptContains: "F1"
  replies:
    - content: I copy the array first.
      delayMs: 0
- role: coder
  replies:
    - content: I read it.
      toolCalls:
        - { name: read-file, arguments: { path: slots.js } }
        - { name: write-file, arguments: { path: ../outside.txt, content: x } }
      expect: [ok, denied]
    - toolCalls: [{ name: edit-file, arguments: { path: slots.js, find: "<=", replace: "<" } }]
    - toolCalls: [{ name: run-tests }]
      expect: failed
      expectOutputContains: 9 of 11
    - content: Done.
- role: reviewer
  replies:
    - content: '{"verdict": "approve"}'
`;

function backendOf(text: string, more: Partial<ModelDefinition> = {}) {
  const path = join(folder, 'script.yaml');
  writeFileSync(path, text);
  return scripted({
    name: 'scripted',
    backend: 'scripted',
    pool: 'scripted',
    model: 'scripted',
    script: path,
    contextTokens: 32_000,
    maxTokens: 4000,
    tags: [],
    timeoutMs: 1000,
    ...more,
  });
}

function request(messages: ModelMessage[], role = 'coder', prompt = 'Make the tests pass.'): ModelRequest {
  const opening: ModelMessage[] = [
    { role: 'system', content: 'F1 in the system prompt chooses nothing.' },
    { role: 'user', content: prompt },
  ];
  return { model: 'scripted', role, maxTokens: 100, tools: [], messages: [...opening, ...messages] };
}

/** An assistant's turn and what the tools answered to it. */
function turn(...results: ['ok' | 'failed' | 'denied', string][]): ModelMessage[] {
  return [
    { role: 'assistant', content: '', toolCalls: [] },
    ...results.map(([status, content]): ModelMessage => ({ role: 'tool', toolCallId: 'x', content, status })),
  ];
}

const play = (asked: ModelRequest, backend = backendOf(script), texts: string[] = []) =>
  backend.complete(asked, { signal: new AbortController().signal, onText: (text) => texts.push(text) });

test('scripted: the first reply is chosen by role, with estimated usage and calls of their own id', async () => {
  const reply = await play(request([]));
  expect(reply).toMatchObject({ content: 'I read it.', finish: 'tool_calls', usage: { estimated: true } });
  expect(reply.toolCalls.map((call) => call.name)).toEqual(['read-file', 'write-file']);
  expect(new Set(reply.toolCalls.map((call) => call.id)).size).toBe(2);
  expect((await play(request([], 'reviewer'))).content).toBe('{"verdict": "approve"}');
});

test('scripted: a scene with a condition goes before one without, by the first prompt alone', async () => {
  expect((await play(request([], 'coder', 'Mend F1.'))).content).toBe('I copy the array first.');
  const later: ModelMessage[] = [...turn(['ok', ''], ['denied', '']), { role: 'user', content: 'F1' }];
  expect((await play(request(later))).toolCalls[0]).toMatchObject({ name: 'edit-file' });
});

test('scripted: the turn is the number of replies so far, in any process', async () => {
  const first = turn(['ok', 'text'], ['denied', 'outside']);
  expect((await play(request(first))).toolCalls[0]).toMatchObject({ name: 'edit-file' });
  const second = [...first, ...turn(['ok', 'edited'])];
  expect((await play(request(second))).toolCalls[0]).toMatchObject({ name: 'run-tests', arguments: {} });
  const third = [...second, ...turn(['failed', 'tests: 9 of 11 pass'])];
  expect(await play(request(third))).toMatchObject({ content: 'Done.', finish: 'stop', toolCalls: [] });
});

test.each([
  {
    it: 'an edit that fails',
    results: [turn(['ok', ''], ['denied', '']), turn(['failed', 'not found: "<="'])],
  },
  { it: 'a denial that was not one', results: [turn(['ok', ''], ['ok', 'not found: "<="'])] },
  {
    it: 'another output',
    results: [turn(['ok', ''], ['denied', '']), turn(['ok', '']), turn(['failed', 'not found: "<="'])],
  },
])('scripted: $it no longer fits, and says what the tool answered', async ({ results }) => {
  await expect(play(request(results.flat()))).rejects.toMatchObject({
    kind: 'permanent',
    message: expect.stringMatching(/^the scripted reply no longer fits: .*not found: "<="/),
  });
});

test('scripted: a call that no tool answered no longer fits', async () => {
  await expect(play(request(turn(['ok', 'text'])))).rejects.toThrow(
    /no longer fits: write-file .* no result/,
  );
});

test('scripted: past the last reply it is an error, not silence', async () => {
  const asked = request([...turn(), { role: 'user', content: 'Go on.' }], 'reviewer');
  await expect(play(asked)).rejects.toMatchObject({
    kind: 'permanent',
    message: expect.stringMatching(/one more/),
  });
});

test('scripted: a role without a scene is an error that names those there are', async () => {
  await expect(play(request([], 'planner'))).rejects.toThrow(
    /no scene for the role planner.*coder, reviewer/,
  );
});

test('scripted: words come one by one, so that a person sees them being written', async () => {
  const texts: string[] = [];
  const startedAt = performance.now();
  await play(request([]), backendOf(script), texts);
  expect(texts).toEqual(['I', ' read', ' it.']);
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(25);
});

test('scripted: cancelling ends it in the middle of its words', async () => {
  const slow = backendOf('- role: coder\n  replies: [{ content: one two three, delayMs: 5000 }]\n');
  const controller = new AbortController();
  const call = slow.complete(request([]), { signal: controller.signal, onText: () => controller.abort() });
  await expect(call).rejects.toMatchObject({ kind: 'permanent', message: 'the call was cancelled' });
});

test('scripted: records what it was asked and what it answered', async () => {
  const backend = backendOf(script);
  await play(request([]), backend);
  await play(request([], 'planner'), backend).catch(() => undefined);
  expect(backend.calls).toMatchObject([
    { request: { role: 'coder' }, reply: { content: 'I read it.' } },
    { request: { role: 'planner' }, error: { kind: 'permanent' } },
  ]);
});

test.each([
  { it: 'broken YAML', text: '- role: coder\n  replies: [', problem: /cannot be read.*line 2/s },
  { it: 'no list', text: 'role: coder', problem: /\/ must be array/ },
  { it: 'a misspelt key', text: '- role: coder\n  reply: []', problem: /\/0 .*: reply/ },
  { it: 'no replies', text: '- role: coder\n  replies: []', problem: /\/0\/replies/ },
  {
    it: 'an unknown status',
    text: '- role: c\n  replies: [{expect: maybe}]',
    problem: /\/0\/replies\/0\/expect/,
  },
])('scripted: $it is refused with its place', ({ text, problem }) => {
  expect(() => backendOf(text)).toThrow(problem);
});

test('scripted: a missing script is named', () => {
  expect(() => backendOf('', { script: join(folder, 'absent.yaml') })).toThrow(/absent\.yaml/);
  expect(() => backendOf('', { script: undefined })).toThrow(/names no script; give the path/);
});
