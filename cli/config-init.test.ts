import { execFile } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ollamaEntry, withOwnNames } from '../config/found-entries.ts';
import { initialConfig } from '../config/init-file.ts';
import { loadConfig } from '../config/load.ts';
import { startOllamaServer, type OllamaServer } from '../tests/ollama-server.ts';
import { startOpenAiServer, type OpenAiServer } from '../tests/openai-server.ts';
import { tinyShape, writeModel } from '../tests/tiny-model.ts';
import { lookAround, type Surroundings } from './config-found.ts';
import { choose } from './config-init.ts';
import { findGguf, ggufPlaces } from './gguf-files.ts';
import { builtProgram } from '../tests/built-program.ts';

let folder: string;
const servers: (OllamaServer | OpenAiServer)[] = [];
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard-init-')));
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map((one) => one.close()));
  rmSync(folder, { recursive: true, force: true });
});

const silent = { behave: () => ({ kind: 'hang' }) as const };
async function ollama(models?: string[]): Promise<string> {
  const server = await startOllamaServer({ ...silent, ...(models && { models }) });
  servers.push(server);
  return server.url;
}

/** Nothing of the machine that the test runs on. */
const look = (environment: Record<string, string>, more: Partial<Surroundings> = {}) =>
  lookAround({
    environment: { HOME: folder, OLLAMA_HOST: '127.0.0.1:1', ...environment },
    places: [],
    ...more,
  });

function load(text: string, environment: Record<string, string> = {}) {
  const file = join(folder, 'switchyard.yaml');
  writeFileSync(file, text);
  return loadConfig({ file, stateDirectory: join(folder, '.switchyard'), environment, overrides: {} });
}

const ofModels = (sources: Awaited<ReturnType<typeof lookAround>>) =>
  sources.filter((one) => one.models.length > 0);

test('config init: what Ollama has is written as it is, with the context that each was made for', async () => {
  const sources = ofModels(await look({ OLLAMA_HOST: await ollama(['qwen3:8b', 'big:70b-cloud']) }));
  expect(sources).toHaveLength(1);
  const config = load(initialConfig(sources[0]!.models, []));
  expect(config.models['qwen3:8b']).toMatchObject({
    backend: 'ollama',
    model: 'qwen3:8b',
    contextTokens: 32_768,
    tier: 'small',
    tags: ['local'],
  });
  expect(config.models['big:70b-cloud']).toMatchObject({ tier: 'large', tags: ['api'] });
  expect(config.roles.planner.models).toEqual(['big:70b-cloud', 'qwen3:8b']);
});

test('config init: what Ollama tells of a model decides its context and what it can do', () => {
  const told = (capabilities: string[], length = 2048) =>
    ollamaEntry({ name: 'm' }, { capabilities, model_info: { 'q.context_length': length } }, 'x').options;
  expect(told(['completion', 'tools'])).toMatchObject({ contextTokens: 2048, maxTokens: 512 });
  expect(told(['completion', 'tools'])).not.toHaveProperty('capabilities');
  expect(told(['completion']).capabilities).toEqual(['json-schema', 'streaming']);
  expect(told(['embedding']).capabilities).toEqual(['embeddings']);
  expect(told(['completion', 'tools', 'vision']).capabilities).toContain('vision');
  expect(told(['completion'], 1_000_000).contextTokens).toBe(32_768);
});

test('config init: of a gateway its logical names, with prices where a provider publishes them', async () => {
  const models = ['team-small', 'anthropic/claude-opus-5-5'];
  const server = await startOpenAiServer({ ...silent, models, key: 'sk-gateway-key-000000000000' });
  servers.push(server);
  const environment = {
    LITELLM_BASE_URL: server.url.replace(/\/v1$/, ''),
    LITELLM_API_KEY: 'sk-gateway-key-000000000000',
  };
  const [source] = ofModels(await look(environment));
  const text = initialConfig(source!.models, []);
  expect(text).not.toContain('sk-gateway');
  const config = load(text, environment);
  expect(Object.keys(config.models)).toEqual(models);
  expect(config.models['anthropic/claude-opus-5-5']).toMatchObject({
    backend: 'litellm',
    prices: { inputMicroDollars: 4_000_000, source: expect.stringContaining('https://') },
  });
});

test('config init: a gateway that does not answer is said, and stops nothing', async () => {
  const sources = await look({ LITELLM_BASE_URL: 'http://127.0.0.1:1' });
  expect(sources).toEqual([
    expect.objectContaining({ models: [], note: expect.stringContaining('LiteLLM at') }),
  ]);
});

test('config init: of a key only the name of its variable is written', async () => {
  const secret = 'sk-proj-canary0123456789';
  const sources = await look({ OPENAI_API_KEY: secret, AWS_ACCESS_KEY_ID: 'AKIACANARY0000000000' });
  expect(JSON.stringify(sources)).not.toMatch(/canary/i);
  const config = load(
    initialConfig(
      sources.flatMap((one) => one.models),
      [],
    ),
  );
  const [first] = Object.values(config.models);
  expect(first).toMatchObject({ backend: 'openai', apiKeyVariable: 'OPENAI_API_KEY' });
  expect(first!.prices?.asOf).toMatch(/^2026-/);
  expect(sources.at(-1)!.note).toMatch(/AWS credentials \(AWS_ACCESS_KEY_ID\)/);
});

test('config init: GGUF files are found once, however they are linked, and a damaged one is said', async () => {
  mkdirSync(join(folder, 'blobs'));
  mkdirSync(join(folder, 'snapshots'));
  writeFileSync(join(folder, 'blobs', 'abc'), 'GGUF but no more');
  symlinkSync(join(folder, 'blobs', 'abc'), join(folder, 'snapshots', 'm-Q4_0.gguf'));
  symlinkSync(join(folder, 'blobs', 'abc'), join(folder, 'again.gguf'));
  for (const name of ['mmproj-m.gguf', 'm-00002-of-00002.gguf', 'notes.txt'])
    writeFileSync(join(folder, name), 'GGUF');
  symlinkSync(join(folder, 'gone'), join(folder, 'broken.gguf'));
  const places = [
    { folder, depth: 2 },
    { folder: join(folder, 'none'), depth: 2 },
  ];
  const files = findGguf(places);
  expect(files).toHaveLength(1);
  const [source] = await look({}, { places });
  expect(source).toMatchObject({ models: [], note: expect.stringContaining('no whole GGUF file') });
  const usual = ggufPlaces({ HOME: '/h', XDG_CACHE_HOME: '/c' }, '/s', '/d').map((one) => one.folder);
  expect(usual).toEqual(
    expect.arrayContaining(['/d', '/c/switchyard/models', '/s/models', '/h/.lmstudio/models']),
  );
});

test('config init: of the GGUF files one is loaded, with the context it was made for, and the others can be', async () => {
  writeModel(join(folder, 'tiny.gguf'));
  writeModel(join(folder, 'tiny-again.gguf'));
  const places = [{ folder, depth: 1 }];
  const [source] = await look({}, { places });
  const config = load(initialConfig(source!.models, []));
  const entries = Object.values(config.models);
  expect(entries.map((one) => one.workers)).toEqual([undefined, 0]);
  expect(entries[0]).toMatchObject({
    backend: 'llama',
    file: expect.stringContaining(folder),
    contextTokens: tinyShape.contextTokens,
    tags: ['local'],
  });
  // None is loaded that would fill the memory.
  const [small] = await look({}, { places, memoryBytes: 1000 });
  expect(small!.models.map((one) => one.options.workers)).toEqual([0, 0]);
});

test('config init: a model in parts is as large as all of them', async () => {
  const first = writeModel(join(folder, 'tiny-00001-of-00003.gguf'), { parts: 3 });
  const places = [{ folder, depth: 1 }];
  // The first part would leave room to work.
  const memoryBytes = 3 * statSync(first).size;
  const [source] = await look({}, { places, memoryBytes });
  expect(source!.models).toMatchObject([{ name: 'tiny', options: { workers: 0 } }]);
  const [roomy] = await look({}, { places, memoryBytes: 2 * memoryBytes });
  expect(roomy!.models[0]!.options.workers).toBeUndefined();
});

test('config init: no gpu-worker is started for a model of vectors, which no role asks', async () => {
  const own = join(folder, 'vectors');
  mkdirSync(own);
  writeModel(join(own, 'nomic-embed-text.gguf'));
  const [source] = await look({}, { places: [{ folder: own, depth: 1 }] });
  expect(source!.models).toMatchObject([
    {
      from: expect.stringContaining('it writes vectors, which no role asks for') as string,
      options: { workers: 0, capabilities: ['embeddings'] },
    },
  ]);
});

test('config init: files of one name in two folders become models with pools of their own', async () => {
  for (const part of ['one', 'other']) {
    mkdirSync(join(folder, part));
    writeModel(join(folder, part, 'tiny.gguf'));
  }
  const [source] = await look({}, { places: [{ folder, depth: 2 }] });
  const config = load(initialConfig(withOwnNames(source!.models), []));
  expect(Object.keys(config.models)).toHaveLength(2);
  expect(new Set(Object.values(config.models).map((one) => one.pool)).size).toBe(2);
});

test('config init: the search ends, however many files there are', () => {
  const many = join(folder, 'many');
  mkdirSync(many);
  for (let number = 0; number < 60; number += 1) writeFileSync(join(many, `${number}.gguf`), '');
  expect(findGguf([{ folder: many, depth: 1 }]).length).toBeLessThanOrEqual(50);
});

test('config init: on a terminal each source is asked for, and a strange answer asks again', async () => {
  const model = (name: string) => ({ name, from: 'x', options: { backend: 'ollama' as const } });
  const sources = [
    { what: 'A', models: [model('a1'), model('a2'), model('a3')] },
    { what: 'B', models: [], note: 'nothing' },
    { what: 'C', models: [model('c1')] },
    { what: 'D', models: [model('d1'), model('d2')] },
  ];
  const answers = ['4', '3, 1', '0', ''];
  const questions: string[] = [];
  const chosen = await choose(sources, async (question) => {
    questions.push(question);
    return answers.shift()!;
  });
  expect(chosen.map((one) => one.name)).toEqual(['a3', 'a1', 'd1', 'd2']);
  expect(questions).toHaveLength(4);
  expect(questions[1]).toMatch(/^That is none of these\. Numbers from 1 to 3/);
});

test('config init: two models of one name get names of their own', () => {
  const model = (pool: string) => ({ name: 'm', from: 'x', options: { backend: 'ollama' as const, pool } });
  const names = withOwnNames([model('a'), model('b'), model('b')]).map((one) => one.name);
  expect(names).toEqual(['m', 'b/m', 'm-2']);
});

test('config init: a model of this machine stays in every chain, behind ever so many others', () => {
  const away = (name: string) => ({
    name,
    from: 'x',
    options: { backend: 'bedrock' as const, tier: 'large' as const, tags: ['api'] },
  });
  const here = {
    name: 'h',
    from: 'x',
    options: { backend: 'ollama' as const, tier: 'small' as const, tags: ['local'] },
  };
  const config = load(initialConfig([...['a', 'b', 'c', 'd', 'e'].map(away), here], []));
  expect(config.roles.planner.models).toEqual(['a', 'b', 'c', 'h']);
  expect(config.roles.coder.models).toEqual(['a', 'b', 'c', 'h']);
});

test('config init: nothing found leaves every option as a comment', () => {
  const config = load(initialConfig([], ['a graphics card']));
  expect(config.models).toEqual({});
  expect(initialConfig([], ['a graphics card'])).toContain('# a graphics card\n');
});

test('config init: off a terminal all that is found is taken, and what is written validates', async () => {
  const file = join(folder, 'mine.yaml');
  const run = (...words: string[]) =>
    new Promise<string>((resolve, reject) =>
      execFile(
        process.execPath,
        [builtProgram('cli/main.ts'), '--state', join(folder, 'state'), '--config', file, ...words],
        {
          cwd: folder,
          timeout: 120_000,
          env: { PATH: process.env['PATH'], HOME: folder, OLLAMA_HOST: url },
        },
        (error, out) => (error ? reject(new Error(error.message)) : resolve(out)),
      ),
    );
  const url = await ollama(['qwen3:8b']);
  const { models } = JSON.parse(await run('config', 'init', '--json')) as { models: { name: string }[] };
  expect(models.map((one) => one.name)).toContain('qwen3:8b');
  expect(readFileSync(file, 'utf8')).toContain('model: qwen3:8b');
  expect(await run('config', 'validate')).toContain(`valid: ${file}`);
});
