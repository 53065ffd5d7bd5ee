import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ConfigurationError } from './configuration-error.ts';
import { composeVariables } from './environment-warnings.ts';
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
const priced =
  'prices: { inputMicroDollars: 1000000, outputMicroDollars: 2000000, source: list, asOf: "2026-11-20" }';
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
    it: 'an address whose port cannot be',
    text: 'models:\n  a: { backend: openai, url: "http://h:99999" }\n',
    says: /^2:\d+ models\.a\.url: this value \(not shown\) is no address: its host or its port/,
  },
  {
    it: 'an address that breaks off',
    text: 'models:\n  a: { backend: openai, url: "http://[" }\n',
    says: /^2:\d+ models\.a\.url: this value \(not shown\) is no address/,
  },
  {
    it: 'a key in an address, which is not shown',
    text: 'models:\n  a: { backend: openai, url: "http://h/v1?key=hunter2" }\n',
    says: /^2:\d+ models\.a\.url: (?!.*hunter2).*goes on with \? or #.*`apiKeyVariable`/,
  },
  {
    it: 'an address of one of its calls',
    text: 'models:\n  a: { backend: openai, url: "http://h/v1/chat/completions" }\n',
    says: /^2:\d+ models\.a\.url: it ends with \/chat\/completions, which is added by itself; leave that off/,
  },
  {
    it: 'a timeout that no timer holds',
    text: 'models:\n  a: { backend: openai, url: "http://h", timeoutMs: 3000000000 }\n',
    says: /^2:\d+ models\.a\.timeoutMs: found 3000000000; accepted: a whole number from 1000 to 86400000/,
  },
  {
    it: 'a context that no model has',
    text: 'models:\n  a: { backend: openai, url: "http://h", contextTokens: 1000000000000000 }\n',
    says: /^2:\d+ models\.a\.contextTokens: .*from 512 to 10000000/,
  },
  {
    it: 'a model that can do nothing',
    text: 'models:\n  a: { backend: openai, url: "http://h", capabilities: [] }\n',
    says: /^2:\d+ models\.a\.capabilities: the list is empty; accepted: a list of these: tools, .*, at least 1/,
  },
  {
    it: 'a capability twice',
    text: 'models:\n  a: { backend: openai, url: "http://h", capabilities: [tools, tools] }\n',
    says: /^2:\d+ models\.a\.capabilities: tools is here twice/,
  },
  {
    it: 'a capability that its backend has not',
    text: 'models:\n  a: { backend: anthropic, capabilities: [tools, embeddings] }\n',
    says: /^2:\d+ models\.a\.capabilities: the backend `anthropic` makes no embeddings/,
  },
  {
    it: 'a variable that holds no key',
    text: 'models:\n  a: { backend: openai, url: "http://h", apiKeyVariable: PATH }\n',
    says: /^2:\d+ models\.a\.apiKeyVariable: PATH holds no key \(where programs are looked for\)/,
  },
  {
    it: 'a recording in a folder that there is not',
    text: 'models:\n  a: { backend: openai, url: "http://h", record: gone/a.yaml }\n',
    says: /^2:\d+ models\.a\.record: there is no folder .*\/gone; create it/,
  },
  {
    it: 'a folder to record into',
    text: 'models:\n  a: { backend: openai, url: "http://h", record: . }\n',
    says: /^2:\d+ models\.a\.record: .* is no file/,
  },
  {
    it: 'a model that is its own fallback',
    text: `models:\n  ${here}\nroles: { coder: { models: [here, here] } }\n`,
    says: '3:19 roles.coder.models: here is here twice, and is no fallback for itself; leave one of them out',
  },
  {
    it: 'an address of a broker that cannot be',
    text: 'mesh: { url: "nats://h:99999" }\n',
    says: /^1:9 mesh\.url: this value \(not shown\) is no address/,
  },
  {
    it: 'a certificate that is not there',
    text: 'mesh: { tls: { certificate: demo.json, key: gone.pem } }\n',
    says: /^1:40 mesh\.tls\.key: there is no file .*gone\.pem/,
  },
  {
    it: 'one port for two',
    text: 'mesh: { port: 4333, page: { port: 4444, socketPort: 4333 } }\n',
    says: /^1:41 mesh\.page\.socketPort: 4333 is also `mesh\.port`/,
  },
  {
    it: 'an address that no machine has',
    text: 'mesh: { listen: 999.1.1.1 }\n',
    says: /^1:9 mesh\.listen: 999\.1\.1\.1 is no address; accepted/,
  },
  {
    it: 'a coder without tools',
    text: 'tools: { perRole: { reviewer: { tools: [] }, coder: { tools: [] } } }\n',
    says: /^1:55 tools\.perRole\.coder\.tools: the list is empty, so that the coder could change nothing/,
  },
  {
    it: 'a mode that there is not',
    text: 'mode: local\n',
    says: /^1:1 mode: found the text "local"; accepted: local-only, local\+api/,
  },
])('registry: $it is refused with its place and the mend', ({ text, says }) => {
  expect(problems(text)[0]).toEqual(typeof says === 'string' ? says : expect.stringMatching(says));
});

test('registry: what sections say against each other is told beside what is wrong with others, and nothing that follows from that', () => {
  const text = `limits: { hops: many }\nmesh: { listen: 999.1.1.1 }\nmodels:\n  ${here}\n  a: { backend: opnai }\nroles: { coder: { models: [b] } }\ntools: { perRole: { coder: { tools: [] } } }\n`;
  expect(problems(text).map((one) => one.split(' ')[1])).toEqual([
    'limits.hops:',
    'models.a.backend:',
    'mesh.listen:',
    'tools.perRole.coder.tools:',
  ]);
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
  ...(['manager', 'router', 'planner', 'coder', 'tester', 'reviewer'] as const).map((role) => ({
    it: `no process of the ${role}`,
    text: `processes: { ${role}: 0 }\n`,
    says: new RegExp(`:1:14 processes\\.${role}: it is 0, .* waits .*\\./switchyard start ${role}`),
  })),
  {
    it: 'a key in a variable of another kind',
    text: `models:\n  a: { backend: openai, url: http://127.0.0.1:1, apiKeyVariable: LANG }\n`,
    says: /models\.a\.apiKeyVariable: LANG is no name of a key/,
  },
  {
    it: 'more threads than cores',
    text: 'models:\n  a: { backend: llama, file: small.gguf, threads: 1024 }\n',
    says: /models\.a\.threads: 1024 threads are more than the \d+ cores/,
  },
  {
    it: 'prices that were looked up tomorrow',
    text: `models:\n  a: { backend: openai, url: http://127.0.0.1:1, ${priced.replace('2026', '9026')} }\n`,
    says: /models\.a\.prices: asOf: 9026-11-20 is yet to come/,
  },
  {
    it: 'prices in dollars',
    text: `models:\n  a: { backend: openai, url: http://127.0.0.1:1, ${priced.replace('1000000', '3')} }\n`,
    says: /models\.a\.prices: 3 micro-dollars for a million tokens .* write 3000000/,
  },
  {
    it: 'two models that record into one file',
    text: `models:\n  a: { backend: openai, url: http://127.0.0.1:1, record: r.yaml }\n  b: { backend: openai, url: http://127.0.0.1:1, record: r.yaml }\n`,
    says: /models\.b\.record: a records into this file too/,
  },
  {
    it: 'a rule behind one that always holds',
    text: `models:\n  ${here}\nroutes: [{ name: all, models: [here], why: w }, { name: r, when: { role: coder }, models: [here], why: w }]\n`,
    says: /routes\[1\]: "all" before it always holds/,
  },
  {
    it: 'a rule for more than its models read',
    text: `models:\n  ${here}\nroutes: [{ name: r, when: { contextAbove: 40000 }, models: [here], why: w }]\n`,
    says: /routes\[0\]\.when\.contextAbove: where it holds, none of the rule's models can read as much: .* 32768/,
  },
  {
    it: 'a repository that is not there',
    text: 'allow: { repositories: [gone] }\n',
    says: /allow\.repositories\[0\]: there is no folder .*\/gone/,
  },
  {
    it: 'temperature beside topP',
    text: 'roles: { coder: { temperature: 0.2, topP: 0.9 } }\n',
    says: /roles\.coder\.topP: some providers refuse/,
  },
])('warnings: $it is said, and loads', ({ text, says }) => {
  expect(load(text, { LANG: 'C' }).warnings).toEqual([expect.stringMatching(says)]);
});

test.each<[Record<string, string>, string, string[]]>([
  [
    { SWITCHYARD_STAT: '/x' },
    '',
    ['SWITCHYARD_STAT: nobody reads this variable; did you mean "SWITCHYARD_STATE"?'],
  ],
  [{ SWITCHYARD_STATE: '/x', SWITCHYARD_UID: '1000' }, '', []],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }, '', []],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' }, onlyLocal, []],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318', OTEL_SDK_DISABLED: 'TRUE' }, onlyLocal, []],
  [
    { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://me:hunter2@collector:4318' },
    onlyLocal,
    [expect.stringMatching(/^OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: it names another machine(?!.*hunter2)/)],
  ],
])('warnings: of the environment %j with "%s"', (environment, text, warnings) => {
  expect(load(text, environment).warnings).toEqual(warnings);
});

test('warnings: a key of blanks is none', () => {
  const text = `models:\n  a: { backend: openai, url: http://127.0.0.1:1, apiKeyVariable: MY_KEY }\n`;
  expect(load(text, { MY_KEY: '  ' }).warnings).toEqual([expect.stringMatching(/MY_KEY.* is not set here/)]);
});

test('warnings: what compose.yaml reads by itself is no mistake', () => {
  const named = ['compose.yaml', 'deploy/entry.sh'].flatMap((file) =>
    [...readFileSync(join(checkoutRoot, file), 'utf8').matchAll(/\$\{(SWITCHYARD_\w+)/g)].map(
      (one) => one[1]!,
    ),
  );
  expect([...new Set(named)].sort()).toEqual([...composeVariables].sort());
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
