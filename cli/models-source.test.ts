import { expect, test } from 'vitest';
import { sourcesOf } from './models-source.ts';

test('sources: hf: names a file of a repository, also in a folder, at the hub or at HF_ENDPOINT', () => {
  expect(sourcesOf('hf:owner/repo/m.Q4_K_M.gguf', {})).toEqual([
    { url: 'https://huggingface.co/owner/repo/resolve/main/m.Q4_K_M.gguf', name: 'm.Q4_K_M.gguf' },
  ]);
  expect(sourcesOf('hf:o/r/q4/m.gguf', { HF_ENDPOINT: 'http://127.0.0.1:5/' })[0]!.url).toBe(
    'http://127.0.0.1:5/o/r/resolve/main/q4/m.gguf',
  );
});

test('sources: a split model is all of its parts', () => {
  const sources = sourcesOf('https://h/p/m-00001-of-00003.gguf?download=true', {});
  expect(sources.map((one) => one.name)).toEqual([
    'm-00001-of-00003.gguf',
    'm-00002-of-00003.gguf',
    'm-00003-of-00003.gguf',
  ]);
  expect(sources[2]!.url).toBe('https://h/p/m-00003-of-00003.gguf?download=true');
});

test.each([
  'm.gguf',
  'hf:owner/m.gguf',
  'hf:o/r/../../m.gguf',
  'ftp://h/m.gguf',
  'https://h/m.bin',
  'https://h/',
])('sources: %s is refused with the forms there are', (given) => {
  expect(() => sourcesOf(given, {})).toThrow(expect.objectContaining({ exitCode: 2 }));
});

test('sources: a password in an address is refused and not shown', () => {
  expect(() => sourcesOf('https://me:hunter2@h/m.gguf', {})).toThrow(/holds a password/);
  expect(() => sourcesOf('https://me:hunter2@h/m.gguf', {})).not.toThrow(/hunter2/);
});

test.each(['garbage', 'https://me:hunter2@h', 'http://h:99999'])(
  'sources: HF_ENDPOINT=%s is refused by its name and not shown',
  (HF_ENDPOINT) => {
    const read = () => sourcesOf('hf:o/r/m.gguf', { HF_ENDPOINT });
    expect(read).toThrow(/^HF_ENDPOINT: this value is no address/);
    expect(read).not.toThrow(/hunter2/);
  },
);
