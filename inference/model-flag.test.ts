import { expect, test } from 'vitest';
import { addressOf } from '../config/model-defaults.ts';
import { modelFlagForms, readModelFlag } from './model-flag.ts';

type Environment = Record<string, string | undefined>;

const readFlag = (flag: string, environment: Environment) =>
  readModelFlag(flag, environment, (row) => addressOf(row, environment));

function definitionOf(flag: string, environment: Environment = {}) {
  const read = readFlag(flag, environment);
  if ('problem' in read) return expect.fail(read.problem);
  return read.definition;
}

test('model flag: ollama is asked where it listens by default, name and tag untouched', () => {
  expect(definitionOf('ollama:qwen3-coder:30b')).toMatchObject({
    name: 'ollama:qwen3-coder:30b',
    backend: 'ollama',
    pool: 'ollama',
    model: 'qwen3-coder:30b',
    url: 'http://127.0.0.1:11434',
    contextTokens: 32_768,
    maxTokens: 4096,
    tags: ['local'],
  });
  expect(definitionOf('ollama:x').apiKeyVariable).toBeUndefined();
});

test.each([
  ['[::]:11434', 'http://127.0.0.1:11434'],
  ['0.0.0.0', 'http://127.0.0.1:11434'],
  ['gpu-box', 'http://gpu-box:11434'],
  ['gpu-box:8080', 'http://gpu-box:8080'],
  [':9999', 'http://127.0.0.1:9999'],
  ['https://ollama.example/base/', 'https://ollama.example/base'],
])('model flag: OLLAMA_HOST=%s is %s', (OLLAMA_HOST, url) => {
  expect(definitionOf('ollama:x', { OLLAMA_HOST }).url).toBe(url);
});

test('model flag: the context that Ollama is asked for is what OLLAMA_CONTEXT_LENGTH says', () => {
  const stated = definitionOf('ollama:x', { OLLAMA_CONTEXT_LENGTH: '8192' });
  expect(stated).toMatchObject({ contextTokens: 8192, maxTokens: 2048 });
  expect(definitionOf('ollama:x', { OLLAMA_CONTEXT_LENGTH: ' ' }).contextTokens).toBe(32_768);
  for (const OLLAMA_CONTEXT_LENGTH of ['32k', '100', '-1', '1e15'])
    expect(readFlag('ollama:x', { OLLAMA_CONTEXT_LENGTH })).toEqual({
      problem: expect.stringContaining(OLLAMA_CONTEXT_LENGTH),
    });
});

test('model flag: a model that Ollama hands on to its own service is not local', () => {
  expect(definitionOf('ollama:qwen3-coder:480b-cloud').tags).toEqual(['api']);
  expect(definitionOf('ollama:x', { OLLAMA_HOST: 'gpu-box' }).tags).toEqual(['api']);
});

test('model flag: anthropic names the variable of its key and may live elsewhere', () => {
  expect(definitionOf('anthropic:claude-sonnet-5-5')).toMatchObject({
    name: 'anthropic:claude-sonnet-5-5',
    backend: 'anthropic',
    pool: 'anthropic',
    model: 'claude-sonnet-5-5',
    url: 'https://api.anthropic.com',
    apiKeyVariable: 'ANTHROPIC_API_KEY',
    tags: ['api'],
  });
  const gateway = definitionOf('anthropic:x', { ANTHROPIC_BASE_URL: 'http://127.0.0.1:4000' });
  expect(gateway.url).toBe('http://127.0.0.1:4000');
});

test('model flag: bedrock keeps the whole name and needs no address and no key of ours', () => {
  const definition = definitionOf('bedrock:eu.anthropic.claude-sonnet-4-5-20250929-v1:0');
  expect(definition).toMatchObject({
    backend: 'bedrock',
    model: 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0',
    tags: ['api'],
  });
  expect(definition).not.toHaveProperty('url');
  expect(definition).not.toHaveProperty('apiKeyVariable');
});

test('model flag: litellm asks a gateway by its logical names, with a key where one is set', () => {
  expect(definitionOf('litellm:team/coder')).toMatchObject({
    backend: 'litellm',
    model: 'team/coder',
    url: 'http://127.0.0.1:4000',
    // Where the models behind a gateway run nobody can see.
    tags: ['api'],
  });
  expect(definitionOf('litellm:coder').apiKeyVariable).toBeUndefined();
  const keyed = definitionOf('litellm:coder', {
    LITELLM_BASE_URL: 'https://gateway.example',
    LITELLM_API_KEY: 'secret-value',
  });
  expect(keyed).toMatchObject({ url: 'https://gateway.example', apiKeyVariable: 'LITELLM_API_KEY' });
  expect(JSON.stringify(keyed)).not.toContain('secret-value');
});

test('model flag: openai names the variable of its key and may live elsewhere', () => {
  expect(definitionOf('openai:gpt-5.1')).toMatchObject({
    model: 'gpt-5.1',
    url: 'https://api.openai.com/v1',
    apiKeyVariable: 'OPENAI_API_KEY',
    tags: ['api'],
  });
  const elsewhere = definitionOf('openai:gpt-5.1', { OPENAI_BASE_URL: 'http://127.0.0.1:4000/v1' });
  expect(elsewhere.url).toBe('http://127.0.0.1:4000/v1');
});

test('model flag: a URL names server and model, and a key only where one is set', () => {
  const flag = 'http://127.0.0.1:8000/v1#Qwen/Qwen3-Coder-30B';
  expect(definitionOf(flag)).toMatchObject({
    model: 'Qwen/Qwen3-Coder-30B',
    url: 'http://127.0.0.1:8000/v1',
    tags: ['local'],
  });
  expect(definitionOf(flag).apiKeyVariable).toBeUndefined();
  const keyed = definitionOf(flag, { SWITCHYARD_MODEL_KEY: 'secret-value' });
  expect(keyed.apiKeyVariable).toBe('SWITCHYARD_MODEL_KEY');
  expect(JSON.stringify(keyed)).not.toContain('secret-value');
});

test('model flag: a URL without a path means /v1, a slash at its end means nothing', () => {
  expect(definitionOf('http://box:8000#m').url).toBe('http://box:8000/v1');
  expect(definitionOf('https://box/api/v1/#my%20model')).toMatchObject({
    url: 'https://box/api/v1',
    model: 'my model',
    tags: ['api'],
  });
});

test.each([
  ['scripted', /none of the forms/],
  ['scripted:demo', /none of the forms/],
  ['gpt-5.1', /none of the forms/],
  ['', /none of the forms/],
  ['ollama', /names no model/],
  ['ollama:', /names no model/],
  ['openai: ', /names no model/],
  ['http://127.0.0.1:8000/v1', /add #NAME/],
  ['http://127.0.0.1:8000/v1#', /add #NAME/],
  ['http://#m', /no valid URL/],
])('model flag: "%s" is refused with the forms there are', (flag, why) => {
  const read = readFlag(flag, {});
  expect(read).toHaveProperty('problem', expect.stringMatching(why));
  for (const form of [
    'ollama:NAME',
    'openai:NAME',
    'anthropic:NAME',
    'bedrock:NAME',
    'litellm:NAME',
    'http(s)://HOST:PORT/v1#NAME',
  ]) {
    expect(read).toHaveProperty('problem', expect.stringContaining(form));
  }
});

test('model flag: a password in the URL is refused and not repeated', () => {
  const read = readFlag('http://me:hunter2@box/v1#m', {});
  expect(read).toHaveProperty('problem', expect.stringContaining('SWITCHYARD_MODEL_KEY'));
  expect(JSON.stringify(read)).not.toContain('hunter2');
});

test.each([
  ['ollama:x', 'OLLAMA_HOST', 'no host'],
  ['ollama:x', 'OLLAMA_HOST', 'http://me:hunter2@box'],
  ['ollama:x', 'OLLAMA_HOST', 'http://me:hunter2@bo x'],
  ['openai:x', 'OPENAI_BASE_URL', 'http://h:99999/v1'],
  ['openai:x', 'OPENAI_BASE_URL', 'api.example.com/v1'],
  ['anthropic:x', 'ANTHROPIC_BASE_URL', 'https://h?key=hunter2'],
  ['litellm:x', 'LITELLM_BASE_URL', 'http://h/v1/chat/completions'],
])('model flag: %s with an %s that is no address is refused by that name', (flag, name, value) => {
  const read = () => readFlag(flag, { [name]: value });
  expect(read).toThrow(new RegExp(`^${name}: .*accepted: an http`));
  expect(read).not.toThrow(/hunter2/);
});

test('model flag: an address is given as entries accept it', () => {
  expect(definitionOf('litellm:x', { LITELLM_BASE_URL: 'localhost:4001' }).url).toBe('http://localhost:4001');
});

test('model flag: a query in the URL is refused and not repeated', () => {
  const read = readFlag('https://box/v1?key=hunter2#m', {});
  expect(read).toHaveProperty('problem', expect.stringContaining('goes on with ?'));
  expect(JSON.stringify(read)).not.toContain('hunter2');
});

test('model flag: help texts have all forms in one line', () => {
  expect(modelFlagForms).toBe(
    'ollama:NAME | openai:NAME | anthropic:NAME | bedrock:NAME | litellm:NAME | http://HOST:PORT/v1#NAME',
  );
});
