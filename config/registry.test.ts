import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ConfigurationError } from './configuration-error.ts';
import { loadConfig, loadConfigAndWarnings } from './load.ts';
import { mayBeAsked } from './mode.ts';
import { modelDefinitions } from './model-options.ts';
import { useModel } from './overrides.ts';
import { checkoutRoot } from './state.ts';

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard-registry-')));
  writeFileSync(join(folder, 'demo.json'), '{}');
  writeFileSync(join(folder, 'small.gguf'), 'GGUF');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function load(text: string, environment: Record<string, string> = {}) {
  writeFileSync(join(folder, 'switchyard.yaml'), text);
  return loadConfigAndWarnings({ stateDirectory: join(folder, '.switchyard'), environment, overrides: {} });
}

function problems(text: string, environment: Record<string, string> = {}): string[] {
  try {
    load(text, environment);
  } catch (failure) {
    if (failure instanceof ConfigurationError)
      return failure.problems.map((one) => one.replace(`${folder}/switchyard.yaml:`, ''));
    throw failure;
  }
  return [];
}

const here = 'here: { backend: openai, url: http://127.0.0.1:1/v1 }';
const there = 'there: { backend: openai, url: https://api.example.com/v1 }';
const priced = 'prices: { inputMicroDollars: 1, outputMicroDollars: 2, source: list, asOf: "2026-11-20" }';
const onlyLocal = 'mode: local-only\n';

test.each([
  {
    it: 'a server without an address',
    text: 'models:\n  a: { backend: openai }\n',
    says: /^2:3 models\.a: "url" is missing; accepted: where the server answers/,
  },
  {
    it: 'a GGUF backend without a file',
    text: 'models:\n  a: { backend: llama }\n',
    says: '2:3 models.a: "file" is missing; accepted: the path of a GGUF file',
  },
  {
    it: 'a GGUF file for a server',
    text: `models:\n  a: { file: small.gguf, backend: openai, url: http://127.0.0.1:1 }\n`,
    says: '2:8 models.a.file: it is for the backend `llama` only; leave it out',
  },
  {
    it: "one of OpenAI's APIs for a provider that has neither",
    text: 'models:\n  a: { backend: scripted, script: demo.json, api: responses }\n',
    says: '2:46 models.a.api: it is for the backends `openai` and `litellm` only; leave it out',
  },
  {
    it: 'a folder in place of a file',
    text: 'models:\n  a: { backend: llama, file: . }\n',
    says: /^2:24 models\.a\.file: .* is no file; accepted: the path of a GGUF file/,
  },
  {
    it: 'a pool that a gpu-worker would share',
    text: `models:\n  ${here}\n  a: { backend: llama, file: small.gguf, pool: default }\n`,
    says: '3:42 models.a.pool: the pool "default" is shared with here, which gpu-workers do not serve; give one of the two another pool',
  },
  {
    it: 'two models in a pool of gpu-workers',
    text: 'models:\n  a: { backend: llama, file: small.gguf }\n  b: { backend: llama, file: small.gguf }\n',
    says: '3:3 models.b.pool: the pool "default" is also that of a, and each gpu-worker serves all calls of its pool with its one model; give one of the two another pool',
  },
  {
    it: 'a cache that costs more',
    text: `models:\n  a: { backend: openai, url: http://127.0.0.1:1, prices: { inputMicroDollars: 1, outputMicroDollars: 2, cachedInputMicroDollars: 3, source: s, asOf: "2026-11-20" } }\n`,
    says: /^2:50 models\.a\.prices: what was in the cache costs 3 and what was not 1/,
  },
  {
    it: 'a day that there is not',
    text: `models:\n  a: { backend: openai, url: http://127.0.0.1:1, prices: { inputMicroDollars: 1, outputMicroDollars: 2, source: s, asOf: "2026-02-30" } }\n`,
    says: /^2:50 models\.a\.prices: asOf: there is no day 2026-02-30/,
  },
  {
    it: "a tool that is not the role's own",
    text: 'tools: { perRole: { reviewer: { tools: [read-file, write-file] } } }\n',
    says: /^1:52 tools\.perRole\.reviewer\.tools\[1\]: the reviewer has no tool write-file, and this option only narrows; accepted: list-dir, read-file, search-files/,
  },
  {
    it: 'a role whose model cannot call tools',
    text: `models:\n  a: { backend: openai, url: http://127.0.0.1:1, capabilities: [embeddings] }\nroles: { coder: { models: [a] } }\n`,
    says: /^3:28 roles\.coder\.models\[0\]: a cannot call tools, and every role works with tools/,
  },
  {
    it: 'a role that local-only leaves nobody',
    text: `${onlyLocal}models:\n  ${here}\n  ${there}\nroles: { coder: { models: [there] } }\n`,
    says: /^5:19 roles\.coder\.models: `mode: local-only` lets none of them be asked: there \(https:\/\/api\.example\.com\/v1\)/,
  },
  {
    it: 'a rule that local-only leaves nobody',
    text: `${onlyLocal}models:\n  ${here}\n  ${there}\nroutes: [{ name: r, models: [there], why: w }]\n`,
    says: /^5:21 routes\[0\]\.models: `mode: local-only`/,
  },
  {
    it: 'local-only without any model of this machine',
    text: `${onlyLocal}models:\n  ${there}\n`,
    says: /^1:1 mode: it leaves no model for the planner, coder, tester, reviewer: there/,
  },
  {
    it: 'a mode that there is not',
    text: 'mode: local\n',
    says: /^1:1 mode: found the text "local"; accepted: local-only, local\+api/,
  },
])('registry: $it is refused with its place and the mend', ({ text, says }) => {
  expect(problems(text)[0]).toEqual(typeof says === 'string' ? says : expect.stringMatching(says));
});

test('registry: one pool may hold models of several servers', () => {
  expect(problems(`models:\n  ${here}\n  ${there}\n`)).toEqual([]);
});

test('mode: local-only leaves out what is asked elsewhere where a role names nothing, and says so', () => {
  const { config, warnings } = load(`${onlyLocal}models:\n  ${there}\n  ${here}\n`);
  expect(config.roles.coder.models).toEqual(['here']);
  expect(warnings).toEqual([
    expect.stringMatching(/switchyard\.yaml:3:3 models\.there: it is not asked: .* the mode is `local-only`/),
  ]);
  const definitions = modelDefinitions(config.models, {});
  expect(definitions.map((one) => mayBeAsked(config, one))).toEqual([false, true]);
  expect(definitions.map((one) => mayBeAsked({ mode: 'local+api' }, one))).toEqual([true, true]);
});

test('mode: a model of the command line is held to it too', () => {
  writeFileSync(join(folder, 'switchyard.yaml'), `${onlyLocal}models:\n  ${here}\n`);
  const overrides = useModel({
    name: 'openai:x',
    model: 'x',
    backend: 'openai',
    pool: 'openai',
    url: 'https://api.openai.com/v1',
    contextTokens: 8192,
    maxTokens: 1024,
    tags: [],
    timeoutMs: 1000,
  });
  const request = { stateDirectory: join(folder, '.switchyard'), environment: {}, overrides };
  expect(() => loadConfig(request)).toThrow(/^command line roles\.planner\.models: `mode: local-only`/);
});

test('roles: who names no model has those that can call tools', () => {
  const embedder = 'vectors: { backend: openai, url: http://127.0.0.1:1, capabilities: [embeddings] }';
  expect(load(`models:\n  ${embedder}\n  ${here}\n`).config.roles.tester.models).toEqual(['here']);
});

test.each([
  {
    it: 'a model elsewhere without prices',
    text: `models:\n  ${there}\n`,
    says: /models\.there: it has no prices, .*`limits\.budgetMicroDollars` does not bound them/,
  },
  {
    it: 'a key that is not set here',
    text: `models:\n  a: { backend: openai, url: http://127.0.0.1:1, apiKeyVariable: MY_KEY }\n`,
    says: /models\.a: the variable MY_KEY, which is to hold its key, is not set here/,
  },
  {
    it: 'a pool that nobody serves',
    text: `processes: { inference: 0 }\nmodels:\n  ${here}\n`,
    says: /models\.here\.pool: nobody serves the pool "default": .*switchyard start inference/,
  },
  {
    it: 'a pool without gpu-workers',
    text: `models:\n  a: { backend: llama, file: small.gguf, pool: own, workers: 0 }\n`,
    says: /models\.a\.pool: nobody serves the pool "own": .*switchyard start gpu-worker/,
  },
  {
    it: 'a small model that costs more than a large one',
    text: `models:\n  a: { backend: openai, url: http://127.0.0.1:1, tier: large, prices: { inputMicroDollars: 0, outputMicroDollars: 0, source: s, asOf: "2026-11-20" } }\n  b: { backend: openai, url: http://127.0.0.1:1, tier: small, ${priced} }\n`,
    says: /models\.b\.tier: it is small, yet costs more than a, which is large/,
  },
  {
    it: 'a longest reply that no model of the role allows',
    text: `models:\n  ${here}\nroles: { coder: { maxTokens: 9000 } }\n`,
    says: /roles\.coder\.maxTokens: it is more than any of its models has/,
  },
  {
    it: 'temperature beside topP',
    text: 'roles: { coder: { temperature: 0.2, topP: 0.9 } }\n',
    says: /roles\.coder\.topP: some providers refuse/,
  },
])('warnings: $it is said, and loads', ({ text, says }) => {
  expect(load(text).warnings).toEqual([expect.stringMatching(says)]);
});

test('warnings: what is complete has none', () => {
  const text = `models:\n  ${here}\n  big: { backend: openai, url: https://api.example.com/v1, apiKeyVariable: MY_KEY, ${priced} }\n`;
  expect(load(text, { MY_KEY: 'x' }).warnings).toEqual([]);
});

test('docs/models/README.md: its example loads, and nothing in it is doubtful', () => {
  const page = readFileSync(join(checkoutRoot, 'docs', 'models', 'README.md'), 'utf8');
  const [, example] = /```yaml\n([\s\S]*?)```/.exec(page)!;
  const { config, warnings } = load(example!, { OPENAI_API_KEY: 'x' });
  expect(warnings).toEqual([]);
  expect(config.roles.reviewer.models).toEqual(['large', 'small']);
  expect(load(`${example!.replace('local+api', 'local-only')}`).warnings).toEqual([
    expect.stringContaining('models.large: it is not asked'),
  ]);
});
