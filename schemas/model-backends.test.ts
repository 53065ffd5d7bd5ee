import { expect, test } from 'vitest';
import { backendNames, isLocal, isLoopback, modelBackends } from './model-backends.ts';

test.each([
  'http://127.0.0.1:11434/v1',
  'http://127.8.9.10',
  'http://0x7f000001:80/',
  'http://localhost:4000',
  'https://LOCALHOST./v1',
  'http://model.localhost:1',
  'http://[::1]:8080/v1',
  'http://[::ffff:127.0.0.1]/',
])('loopback: %s stays on this machine', (url) => {
  expect(isLoopback(url)).toBe(true);
});

test.each([
  'https://api.openai.com/v1',
  'http://10.0.0.7:8000/v1',
  'http://127.0.0.1.example.com/v1',
  'http://localhost.example.com',
  'http://mylocalhost/v1',
  'http://[fd00::1]/',
  'http://0.0.0.0:80',
  'no address',
])('loopback: %s may leave this machine', (url) => {
  expect(isLoopback(url)).toBe(false);
});

test('local: a backend that runs here is, one that nobody knows is not, and an address decides for the others', () => {
  expect(isLocal({ backend: 'scripted' })).toBe(true);
  expect(isLocal({ backend: 'nobody', url: 'http://127.0.0.1' })).toBe(false);
  expect(isLocal({ backend: 'openai', url: 'http://127.0.0.1:8000/v1' })).toBe(true);
  expect(isLocal({ backend: 'openai', url: 'https://api.openai.com/v1' })).toBe(false);
  expect(isLocal({ backend: 'openai' })).toBe(false);
});

test('local: a model that its server here hands on to a service is not', () => {
  const url = 'http://127.0.0.1:11434/v1';
  expect(isLocal({ backend: 'openai', url, model: 'gpt-oss:120b-cloud' })).toBe(false);
  expect(isLocal({ backend: 'openai', url, model: 'qwen3-coder:cloud' })).toBe(false);
  expect(isLocal({ backend: 'openai', url, model: 'cloudy:8b' })).toBe(true);
});

test('local: what runs elsewhere never is, whatever the address', () => {
  for (const backend of backendNames.filter((name) => (modelBackends[name].runs as string) === 'elsewhere'))
    expect(isLocal({ backend, url: 'http://127.0.0.1' })).toBe(false);
});
