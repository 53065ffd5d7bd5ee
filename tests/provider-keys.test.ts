import { globSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startAnthropicServer } from './anthropic-server.ts';
import { startBedrockServer } from './bedrock-server.ts';
import type { Behaviour } from './model-behaviour.ts';
import { startOpenAiServer } from './openai-server.ts';
import { adder, adderTest } from './scenes.ts';
import { openTerminal, resultOf, type Terminal, type Up } from './terminal.ts';
import { eventually } from './yard-parts.ts';

const keys = {
  OPENAI_API_KEY: 'sk-canary-openai-0123456789abcdef0123456789',
  LITELLM_API_KEY: 'sk-canary-litellm-0123456789abcdef0123456',
  ANTHROPIC_API_KEY: 'sk-ant-canary-anthropic-0123456789abcdef',
  AWS_ACCESS_KEY_ID: 'AKIACANARY0123456789',
  AWS_SECRET_ACCESS_KEY: 'canaryAwsSecret0123456789abcdef012345678',
  AWS_SESSION_TOKEN: 'canary-aws-session-0123456789abcdef0123456789',
};
const canaries = Object.values(keys);
const names = ['openai', 'litellm', 'anthropic', 'bedrock'];

/** Answers the trivial prompt, and then refuses all work with an error that repeats the key: the worst that a provider does. */
const echoing = (key: string) => (request: object) =>
  (JSON.stringify(request).includes('you are ready')
    ? { kind: 'reply', content: 'I am ready.' }
    : { kind: 'error', status: 400, message: `bad request with the key ${key}` }) as Behaviour;

let terminal: Terminal;
let up: Up;
const servers: { requests: { body: object }[]; close(): Promise<void> }[] = [];
beforeAll(async () => {
  const account = {
    accessKeyId: keys.AWS_ACCESS_KEY_ID,
    secretAccessKey: keys.AWS_SECRET_ACCESS_KEY,
    sessionToken: keys.AWS_SESSION_TOKEN,
    region: 'eu-central-1',
  };
  const [openai, litellm, anthropic, bedrock] = await Promise.all([
    startOpenAiServer({ behave: echoing(keys.OPENAI_API_KEY), key: keys.OPENAI_API_KEY }),
    startOpenAiServer({
      behave: echoing(keys.LITELLM_API_KEY),
      key: keys.LITELLM_API_KEY,
      isLitellm: true,
    }),
    startAnthropicServer({ behave: echoing(keys.ANTHROPIC_API_KEY), key: keys.ANTHROPIC_API_KEY }),
    startBedrockServer({
      behave: echoing(keys.AWS_SECRET_ACCESS_KEY),
      models: ['test-model'],
      account,
    }),
  ]);
  servers.push(openai, litellm, anthropic, bedrock);
  terminal = await openTerminal();
  const model = (backend: string, url: string) => ({ backend, model: 'test-model', url, pool: backend });
  const config = terminal.configure('keys.yaml', {
    processes: { coder: 1, planner: 0, tester: 0, reviewer: 0 },
    models: {
      openai: { ...model('openai', openai.url), apiKeyVariable: 'OPENAI_API_KEY' },
      litellm: model('litellm', litellm.url),
      anthropic: model('anthropic', anthropic.url),
      bedrock: { ...model('bedrock', bedrock.url), region: account.region },
    },
  });
  // Spans are files in the state folder, which is searched below.
  up = await terminal.up('keys', ['--config', config], { ...keys, OTEL_TRACES_EXPORTER: 'file' });
});
afterAll(async () => {
  await terminal?.close();
  await Promise.all(servers.map((server) => server.close()));
});

test.each(names)(
  'provider keys: %s repeats the key in an error, and what a person is told holds none',
  async (name) => {
    const repository = terminal.makeRepository(name, adder);
    const ended = await up.switchyard(['fix', repository, '--test', adderTest, '--model', name, '--json']);
    expect(ended).toMatchObject({ code: 7 });
    expect(JSON.stringify(resultOf(ended))).toContain('bad request with the key');
    for (const canary of canaries) expect(ended.out + ended.error).not.toContain(canary);
  },
);

test('provider keys: they are in no prompt', () => {
  for (const { requests } of servers) {
    // The trivial prompt, and the work.
    expect(requests.length).toBeGreaterThan(1);
    const sent = JSON.stringify(requests.map(({ body }) => body));
    for (const canary of canaries) expect(sent).not.toContain(canary);
  }
});

test('provider keys: they are in no event, log, span or file, and in the environment of those alone that ask providers', async () => {
  const spans = () =>
    globSync(join(up.stateDirectory, '**/*spans*.jsonl')).map((path) => readFileSync(path, 'utf8'));
  const isWhole = () => names.every((name) => spans().join('').includes(`"chat ${name}"`));
  await eventually(isWhole, 'the spans of the calls');
  const files = globSync(join(up.stateDirectory, '**/*')).filter((path) => statSync(path).isFile());
  expect(files.some((path) => path.endsWith('.blk'))).toBe(true);
  expect(files.some((path) => path.includes('inference') && path.endsWith('.log'))).toBe(true);
  const holding = (text: string) => canaries.filter((canary) => text.includes(canary));
  for (const path of files) expect(holding(readFileSync(path, 'latin1')), path).toEqual([]);
  expect(holding(up.error() + up.out())).toEqual([]);
  for (const { name, pid } of up.mesh.processes) {
    const seen = holding(readFileSync(`/proc/${pid}/environ`, 'utf8'));
    expect(seen, name).toEqual(['up', 'inference'].includes(name) ? canaries : []);
  }
});
