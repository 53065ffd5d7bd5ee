import { expect, test } from 'vitest';
import { addressOf } from './model-defaults.ts';

const row = { variable: 'OLLAMA_HOST', default: 'http://127.0.0.1:11434' };
const at = (value: string | undefined) => addressOf(row, { OLLAMA_HOST: value });

test.each([
  [undefined, 'http://127.0.0.1:11434'],
  ['', 'http://127.0.0.1:11434'],
  ['gpu-box', 'http://gpu-box:11434'],
  ['gpu-box:80', 'http://gpu-box'],
  [':5000', 'http://127.0.0.1:5000'],
  ['0.0.0.0', 'http://127.0.0.1:11434'],
  ['[::1]:9', 'http://[::1]:9'],
  ['https://models.example.com/ollama/', 'https://models.example.com/ollama'],
])('addresses: the variable with %j means %s', (value, url) => {
  expect(at(value)).toBe(url);
});

test.each(['ftp://host', 'http://', 'http://me:hunter2@host', 'two words:x'])(
  'addresses: %j in the variable is refused by its name, and never shown',
  (value) => {
    expect(() => at(value)).toThrow(/^OLLAMA_HOST: this value .*accepted: an http/);
    expect(() => at(value)).not.toThrow(/hunter2/);
  },
);

test('addresses: a backend without one has none', () => {
  expect(addressOf('none', {})).toBeUndefined();
  expect(addressOf('required', {})).toBeUndefined();
  expect(addressOf({ default: 'https://api.example.com' }, {})).toBe('https://api.example.com');
});
