import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { startOpenAiServer } from '../../tests/openai-server.ts';
import type { OpenAiServer } from '../../tests/openai-server.ts';
import type { Backend, ModelDefinition, ModelReply, ModelRequest } from '../backend.ts';
import { createBackend } from '../backends.ts';
import { addRecording, digestOf, questionOf, readCassette } from './cassette.ts';

const run = promisify(execFile);
const secret = 'sk-canary-5d41402abc4b2a76b9719d911017c592';

let folder: string;
let path: string;
let server: OpenAiServer | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchyard-cassette-'));
  path = join(folder, 'cassette.yaml');
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(folder, { recursive: true });
});

const definition: ModelDefinition = {
  name: 'real',
  backend: 'openai',
  pool: 'test',
  model: 'test-model',
  contextTokens: 8000,
  maxTokens: 500,
  tags: [],
  timeoutMs: 20_000,
};
const player = (): Promise<Backend> =>
  createBackend({ ...definition, name: 'played', backend: 'scripted', script: path }, {});

const tools = [{ name: 'read-file', description: 'Reads', arguments: { type: 'object' } }];
const question: ModelRequest = {
  model: 'test-model',
  role: 'coder',
  maxTokens: 300,
  runId: 'one',
  tools,
  messages: [
    { role: 'system', content: 'You mend code.' },
    { role: 'user', content: `Mend the overlap.\n\n- digest: no\n  whole: true\n\tkey ${secret} \r\nend ` },
  ],
};
const answer: ModelReply = {
  content: 'I look: "<=" – größer?\n  whole: true\n',
  toolCalls: [
    { id: 'call_a', name: 'read-file', arguments: { path: 'src/a.ts', lines: [1, { deep: null }] } },
    { id: 'call_b', name: 'read-file', arguments: null, invalidArguments: '{"pa' },
  ],
  finish: 'tool_calls',
  usage: { inputTokens: 321, outputTokens: 12, estimated: false },
  requestId: 'request-1',
};

async function play(backend: Backend, request: ModelRequest, texts: string[] = []): Promise<ModelReply> {
  const signal = new AbortController().signal;
  return backend.complete(request, { signal, onText: (text) => texts.push(text) });
}

/** The turn after `reply`, as a run asks it. */
function next(request: ModelRequest, reply: ModelReply): ModelRequest {
  const results = reply.toolCalls.map(
    ({ id }) => ({ role: 'tool', toolCallId: id, content: 'text', status: 'ok' }) as const,
  );
  const said = { role: 'assistant', content: reply.content, toolCalls: reply.toolCalls } as const;
  return { ...request, messages: [...request.messages, said, ...results] };
}

test('cassette: what was recorded from a server is played back without it, turn by turn', async () => {
  server = await startOpenAiServer({
    behave: (_, index) =>
      index === 0
        ? {
            kind: 'reply',
            content: 'I look.',
            toolCalls: [{ id: 'call_a', name: 'read-file', arguments: { path: 'a.ts' } }],
            usage: { inputTokens: 90, outputTokens: 9 },
          }
        : { kind: 'reply', content: 'It is mended.\n' },
  });
  const recorder = await createBackend({ ...definition, url: server.url, record: path }, {});
  const first = await play(recorder, question);
  const second = await play(recorder, next(question, first));
  await play(recorder, { ...question, role: 'check', messages: [{ role: 'user', content: 'Ready?' }] });
  await server.close();
  server = undefined;

  const texts: string[] = [];
  // Neither the provider's name of the model nor the run nor bounds are what a prompt says.
  const again = { ...question, model: 'scripted', runId: 'two', maxTokens: 9 };
  const played = await play(await player(), again, texts);
  expect(played).toEqual({
    content: first.content,
    toolCalls: first.toolCalls,
    finish: 'tool_calls',
    usage: { inputTokens: 90, outputTokens: 9, estimated: false },
  });
  expect(texts.join('')).toBe('I look.');
  // Another process, which was never asked the first question.
  expect((await play(await player(), next(again, played))).content).toBe(second.content);
  expect(parse(readFileSync(path, 'utf8'))).toHaveLength(2);
});

test('cassette: texts come back as they were, and secrets are nowhere', () => {
  addRecording(path, 'real', question, { ...answer, content: `${answer.content} ${secret}` });
  const cassette = readCassette(path)!;
  const { requestId: _, ...reply } = answer;
  expect(cassette.replyTo(question)).toEqual({ ...reply, content: `${answer.content} [censored]` });
  expect(readFileSync(path, 'utf8')).not.toContain(secret);
  // A key that changed makes no other question.
  const newKey = structuredClone(question);
  newKey.messages[1]!.content = newKey.messages[1]!.content.replace(secret, `${secret}new`);
  expect(cassette.replyTo(newKey)).toBeDefined();
  // It holds what prompts hold.
  expect(statSync(path).mode & 0o077).toBe(0);
});

test('cassette: the newest recording of a question is played', () => {
  addRecording(path, 'real', question, answer);
  addRecording(path, 'real', question, { ...answer, content: 'newer' });
  expect(readCassette(path)!.replyTo(question)?.content).toBe('newer');
});

test('cassette: the digest does not hang on the order of members, but on every word', () => {
  const { messages, tools: given, role } = question;
  const turned = { tools: given, messages, role } as ModelRequest;
  expect(digestOf(questionOf(turned))).toBe(digestOf(questionOf(question)));
  for (const other of [
    { ...question, role: 'tester' },
    { ...question, tools: [] },
    { ...question, schema: { name: 's', schema: {} } },
    { ...question, messages: messages.toReversed() },
  ])
    expect(digestOf(questionOf(other))).not.toBe(digestOf(questionOf(question)));
});

test('cassette: several processes that record at once lose nothing and tear nothing', async () => {
  const processes = 4;
  const each = 25;
  const source = `
    const { addRecording, prepareCassette } = await import(${JSON.stringify(pathToFileURL(join(import.meta.dirname, 'cassette.ts')).href)});
    const [path, name] = process.argv.slice(1);
    prepareCassette(path);
    for (let n = 0; n < ${each}; n++) {
      const request = { model: 'm', role: 'coder', maxTokens: 9, tools: [], messages: [{ role: 'user', content: name + ' ' + n + ' x'.repeat(20000) }] };
      const reply = { content: 'reply to ' + name + ' ' + n, toolCalls: [], finish: 'stop', usage: { inputTokens: 1, outputTokens: 1, estimated: true } };
      addRecording(path, name, request, reply);
    }`;
  await Promise.all(
    Array.from({ length: processes }, (_, n) =>
      run(process.execPath, ['--input-type=module', '-e', source, path, `process-${n}`]),
    ),
  );
  const cassette = readCassette(path)!;
  expect(cassette.cutAtLines).toEqual([]);
  const contents = cassette.recordings().map((one) => one.reply.content);
  expect(contents).toHaveLength(processes * each);
  expect(new Set(contents).size).toBe(processes * each);
});

test('cassette: a recording whose process was killed costs that one only, and is named', async () => {
  addRecording(path, 'real', question, answer);
  const whole = readFileSync(path, 'utf8');
  const other = { ...question, role: 'tester' };
  addRecording(path, 'real', other, answer);
  writeFileSync(path, readFileSync(path, 'utf8').slice(0, whole.length + 300));
  addRecording(path, 'real', { ...question, role: 'planner' }, answer);
  expect((await play(await player(), question)).content).toBe(answer.content);
  expect((await play(await player(), { ...question, role: 'planner' })).content).toBe(answer.content);
  await expect(play(await player(), other)).rejects.toMatchObject({
    kind: 'permanent',
    message: expect.stringMatching(
      /for coder, planner, not for the role tester \(the recording at line \d+ was cut/,
    ),
  });
});

const changed = (edit: (request: ModelRequest) => void): ModelRequest => {
  const copy = structuredClone(question);
  edit(copy);
  return copy;
};
test.each([
  {
    it: 'a changed prompt',
    request: changed((one) => (one.messages[1]!.content = 'Mend the underlap.')),
    message: /message 2 of 2 \(user\) differs from character 10 on: recorded "overlap.*asked "underlap\."/,
  },
  {
    it: 'a changed system prompt',
    request: changed((one) => (one.messages[0]!.content = '')),
    message:
      /message 1 of 2 \(system\) differs from character 1 on: recorded "You mend code\.", asked nothing more/,
  },
  {
    it: 'one turn more',
    request: next(question, { ...answer, toolCalls: [] }),
    message: /message 3 of 3 \(assistant\) goes on where the recording ends/,
  },
  {
    it: 'one message less',
    request: changed((one) => one.messages.pop()),
    message: /it has 1 messages, and 2 were recorded/,
  },
  {
    it: 'other tools',
    request: changed((one) => (one.tools = [{ ...tools[0]!, name: 'edit-file' }])),
    message: /the tools differ: edit-file is new, read-file is gone/,
  },
  {
    it: 'a tool described otherwise',
    request: changed((one) => (one.tools = [{ ...tools[0]!, description: 'Reads all' }])),
    message: /the tools differ: read-file is described otherwise/,
  },
  {
    it: 'a schema',
    request: changed((one) => (one.schema = { name: 's', schema: {} })),
    message: /the schema of the reply differs/,
  },
  {
    it: 'another role',
    request: { ...question, role: 'tester' },
    message: /it was recorded for coder, not for the role tester/,
  },
])('cassette: $it fails loudly and names what differs', async ({ request, message }) => {
  addRecording(path, 'real', question, answer);
  await expect(play(await player(), request)).rejects.toMatchObject({
    kind: 'permanent',
    message: expect.stringMatching(message),
    mend: expect.stringMatching(/record it again/),
  });
});

test('cassette: a failure is not recorded, and an empty cassette says that it holds nothing', async () => {
  server = await startOpenAiServer({ behave: () => ({ kind: 'error', status: 500 }) });
  const recorder = await createBackend({ ...definition, url: server.url, record: path }, {});
  await expect(play(recorder, question)).rejects.toMatchObject({ status: 500 });
  await expect(play(await player(), question)).rejects.toThrow(/recorded for nobody/);
  await (await player()).check('scripted', new AbortController().signal);
});

test('cassette: a place that cannot be written is refused at once, by its path', async () => {
  const nowhere = join(folder, 'absent', 'cassette.yaml');
  const make = () => createBackend({ ...definition, url: 'http://127.0.0.1:1/v1', record: nowhere }, {});
  await expect(make()).rejects.toThrow(/the cassette .*absent\/cassette\.yaml cannot be written/);
  // Somebody else's file is left as it is.
  writeFileSync(path, 'models: {}\n');
  const mistaken = () => createBackend({ ...definition, url: 'http://127.0.0.1:1/v1', record: path }, {});
  await expect(mistaken()).rejects.toThrow(/cassette\.yaml is no cassette; .*another path/);
  expect(readFileSync(path, 'utf8')).toBe('models: {}\n');
});
