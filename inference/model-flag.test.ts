import { expect, test } from 'vitest';
import { readModelFlag } from './model-flag.ts';
import type { FlagEnvironment } from './model-flag.ts';

function definitionOf(flag: string, environment: FlagEnvironment = {}) {
  const read = readModelFlag(flag, environment);
  if ('problem' in read) return expect.fail(read.problem);
  return read.definition;
}

test('model flag: ollama is asked where it listens by default, name and tag untouched', () => {
  expect(definitionOf('ollama:qwen3-coder:30b')).toMatchObject({
    name: 'ollama:qwen3-coder:30b',
    backend: 'openai',
    model: 'qwen3-coder:30b',
    url: 'http://127.0.0.1:11434/v1',
    contextTokens: 4096,
    tags: ['local'],
  });
  expect(definitionOf('ollama:x').apiKeyVariable).toBeUndefined();
});

test.each([
  ['[::]:11434', 'http://127.0.0.1:11434/v1'],
  ['0.0.0.0', 'http://127.0.0.1:11434/v1'],
  ['gpu-box', 'http://gpu-box:11434/v1'],
  ['gpu-box:8080', 'http://gpu-box:8080/v1'],
  [':9999', 'http://127.0.0.1:9999/v1'],
  ['https://ollama.example/base/', 'https://ollama.example/base/v1'],
])('model flag: OLLAMA_HOST=%s is %s', (OLLAMA_HOST, url) => {
  expect(definitionOf('ollama:x', { OLLAMA_HOST }).url).toBe(url);
});

test('model flag: an Ollama with its default context is warned of, one with a stated context is not', () => {
  expect(readModelFlag('ollama:x', {})).toHaveProperty(
    'warning',
    expect.stringContaining('OLLAMA_CONTEXT_LENGTH'),
  );
  const stated = readModelFlag('ollama:x', { OLLAMA_CONTEXT_LENGTH: '32768' });
  expect(stated).toMatchObject({ definition: { contextTokens: 32_768 } });
  expect(stated).not.toHaveProperty('warning');
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
  const read = readModelFlag(flag, {});
  expect(read).toHaveProperty('problem', expect.stringMatching(why));
  for (const form of ['ollama:NAME', 'openai:NAME', 'http(s)://HOST:PORT/v1#NAME']) {
    expect(read).toHaveProperty('problem', expect.stringContaining(form));
  }
});

test('model flag: a password in the URL is refused and not repeated', () => {
  const read = readModelFlag('http://me:hunter2@box/v1#m', {});
  expect(read).toHaveProperty('problem', expect.stringContaining('SWITCHYARD_MODEL_KEY'));
  expect(JSON.stringify(read)).not.toContain('hunter2');
});

test('model flag: an OLLAMA_HOST that is no host is named', () => {
  expect(readModelFlag('ollama:x', { OLLAMA_HOST: 'no host' })).toEqual({
    problem: 'OLLAMA_HOST is no host or URL: no host',
  });
});
