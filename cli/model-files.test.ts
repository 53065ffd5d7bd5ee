import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfigAndWarnings } from '../config/load.ts';
import { modelDefinitions } from '../config/model-options.ts';
import { tinyShape, writeModel } from '../tests/tiny-model.ts';
import { checkModels } from './check-models.ts';
import { requireModelFiles } from './model-files.ts';
import { checkOne } from './models-check.ts';

let folder: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard-files-')));
  const whole = writeModel(join(folder, 'whole.gguf'));
  writeFileSync(join(folder, 'cut.gguf'), readFileSync(whole).subarray(0, 5000));
  writeFileSync(join(folder, 'none.gguf'), 'no model');
  writeFileSync(join(folder, 'broken.yaml'), '- role: coder\n  replys: []\n');
  writeFileSync(join(folder, 'replies.yaml'), '- role: coder\n  replies: [{ content: hello }]\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function load(text: string) {
  writeFileSync(join(folder, 'switchyard.yaml'), text);
  return loadConfigAndWarnings({
    stateDirectory: join(folder, '.switchyard'),
    environment: {},
    overrides: {},
  });
}

test.each([
  {
    it: 'a file of replies that is none',
    entry: 'backend: scripted, script: broken.yaml',
    says: /switchyard\.yaml:2:\d+ models\.a\.script: the script .*broken\.yaml is not a list of scenes: .*replys.*a scene is \{role/,
  },
  {
    it: 'a file that is no GGUF',
    entry: 'backend: llama, file: none.gguf',
    says: /switchyard\.yaml:2:\d+ models\.a\.file: .*none\.gguf is no GGUF file; give the path of a whole/,
  },
  {
    it: 'a GGUF file that was cut',
    entry: 'backend: llama, file: cut.gguf',
    says: /models\.a\.file: .*cut\.gguf is cut off/,
  },
  {
    it: 'more context than the file was made for',
    entry: 'backend: llama, file: whole.gguf, contextTokens: 9000',
    says: new RegExp(
      `switchyard\\.yaml:2:\\d+ models\\.a\\.contextTokens: .*9000 tokens, .* made for ${tinyShape.contextTokens}; set its contextTokens to ${tinyShape.contextTokens}`,
    ),
  },
])(
  'model files: $it is refused before anything starts, with its option and place',
  async ({ entry, says }) => {
    await expect(requireModelFiles(load(`models:\n  a: { ${entry} }\n`))).rejects.toThrow(says);
  },
);

test('model files: whole ones pass', async () => {
  const text = `models:\n  a: { backend: llama, file: whole.gguf, contextTokens: 8192 }\n  b: { backend: scripted, pool: b, script: replies.yaml }\n`;
  await expect(requireModelFiles(load(text))).resolves.toBeUndefined();
});

test('models check, doctor: replies that cannot be read make no usable model', async () => {
  const { config } = load(`models:\n  a: { backend: scripted, script: broken.yaml }\n`);
  const [definition] = modelDefinitions(config.models, {});
  const { signal } = new AbortController();
  expect(await checkOne(config, definition!, {}, signal)).toMatchObject({
    ok: false,
    isScripted: true,
    problem: expect.stringContaining('is not a list of scenes'),
  });
  expect(await checkModels(config, undefined, {}, signal)).toMatchObject([{ state: 'missing' }]);
});

test('models check: more context than the file was made for is told, though a check would need less', async () => {
  const { config } = load(`models:\n  a: { backend: llama, file: whole.gguf, contextTokens: 9000 }\n`);
  const [definition] = modelDefinitions(config.models, {});
  expect(await checkOne(config, definition!, {}, new AbortController().signal)).toMatchObject({
    ok: false,
    problem: expect.stringContaining('made for 8192'),
  });
});
