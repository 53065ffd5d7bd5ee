import { execFileSync } from 'node:child_process';
import { globSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { git, eventually } from './yard-parts.ts';
import { startOpenAiServer, type OpenAiServer } from './openai-server.ts';
import {
  able,
  ableAfter,
  ableOnce,
  approves,
  calls,
  finishes,
  playing,
  says,
  usage,
  type Player,
} from './played-models.ts';
import { adder, adderTest } from './scenes.ts';
import { freePort, openTerminal, resultOf, type Ended, type Terminal, type Up } from './terminal.ts';

/** Planted where models are asked, and to be found nowhere else. */
const canary = 'canary-5e1f0c7b93';

/** The sum and its tests in the form that Node brings along. */
const tested = {
  ...adder,
  'add.test.js': [
    "import { test } from 'node:test';",
    "import assert from 'node:assert';",
    "import { add } from './add.js';",
    "test('adds', () => assert.equal(add(1, 2), 3));",
    "test('adds nothing', () => assert.equal(add(1, 0), 1));",
    '',
  ].join('\n'),
};

/** Does not come to an end by itself. */
const stuck: Player = ({ role }) => (role === 'coder' ? { kind: 'hang', after: 'Let me think' } : approves);

/** Changes what is asked of it, and never approves. */
const strict: Player = ({ role, turn, times }) => {
  if (role === 'coder') {
    return turn === 0 ? calls('write-file', { path: 'NOTES.md', content: `Try ${times}.\n` }) : finishes;
  }
  const id = `fault-${times}`;
  const findings = [{ id, severity: 'blocking', evidence: `There is fault ${times}.` }];
  // Pleased in the end, so that one more cycle is enough.
  return times > 1 ? approves : calls('finish', { verdict: 'changes', summary: 'Not yet.', findings });
};

const plan = {
  items: [
    { role: 'coder', goal: 'Mend the sum', acceptance: 'The check passes' },
    { role: 'tester', goal: 'Show that nothing is added for nothing', acceptance: 'A test file is there' },
  ],
};
const twoItems: Player = (asked) => {
  if (asked.role === 'planner') return calls('finish', plan);
  if (asked.role !== 'tester') return able(asked);
  return asked.turn === 0
    ? calls('write-file', { path: 'nothing.test.js', content: "import './check.js';\n" })
    : finishes;
};

/** Where the tests pass already: does what it was told afterwards. */
const told: Player = ({ role, turn, brief }) => {
  if (role === 'reviewer') return approves;
  if (!brief.includes('Subtract as well')) return says('I was not told what to do.');
  return turn === 0
    ? calls('write-file', { path: 'subtract.js', content: 'export const subtract = 1;\n' })
    : finishes;
};

const players: Record<string, Player> = {
  able,
  strict,
  stuck,
  told,
  'two-items': twoItems,
  garbled: ableOnce(calls('edit-file', '{"path": "add.js", "find": ')),
  inventive: ableOnce(calls('open-editor', { path: 'add.js' })),
  talker: () => says('I would put a plus there.'),
  busy: ableAfter({ kind: 'error', status: 429, headers: { 'retry-after': '1' }, message: 'slow down' }),
  shaky: ableAfter({ kind: 'error', status: 500 }, { kind: 'error', status: 502 }),
  silent: ({ role }) => (role === 'coder' ? { kind: 'hang' } : approves),
  refusing: () => ({ kind: 'error', status: 400, message: 'no such thing here' }),
  'stuck-once': ableAfter({ kind: 'hang', after: 'Let me think' }),
};

let terminal: Terminal;
let models: OpenAiServer;
beforeAll(async () => {
  terminal = await openTerminal();
  models = await startOpenAiServer({ behave: playing(players), models: Object.keys(players), key: canary });
});
afterAll(async () => {
  await terminal?.close();
  await models?.close();
});

test('own repository: one command takes it from red tests to a branch that can be applied', async () => {
  const repository = terminal.makeRepository('whole', tested);
  writeFileSync(join(repository, 'check.js'), 'half a sentence');
  const open = await startOpenAiServer({ behave: playing(players), models: ['able'] });
  try {
    const config = terminal.configure('one.yaml', { processes: { coder: 1, planner: 0, tester: 0 } });
    const state = ['--state', join(terminal.area, 'one')];
    const ended = await terminal.switchyard(
      [
        ...state,
        'up',
        ...['--config', config, '--repo', repository, '--goal', 'Mend the sum', '--test', 'node --test'],
        ...['--model', `${open.url}#able`, '--once', '--json'],
      ],
      { OTEL_TRACES_EXPORTER: 'file' },
    );
    expect(ended).toMatchObject({ code: 0 });
    // Of the last event as well: the task's own span ends with it.
    expect(readFileSync(join(terminal.area, 'one/observer/spans.jsonl'), 'utf8')).toContain('"agent.task"');
    expect(ended.error).toContain('asking');
    expect(ended.error).not.toMatch(/scripted/);
    expect(resultOf(ended)).toMatchObject({
      state: 'completed',
      isScripted: false,
      testsBefore: { testsPass: false, passed: 1, failed: 1 },
      testsAfter: { testsPass: true, passed: 2, failed: 0 },
      spend: { calls: 3, inputTokens: 3000, outputTokens: 30 },
      notes: [
        expect.stringContaining('1 file(s) with uncommitted changes are left as they are and left out'),
      ],
    });
    expect(readFileSync(join(repository, 'check.js'), 'utf8')).toBe('half a sentence');
    expect(readFileSync(join(repository, 'add.js'), 'utf8')).toBe(adder['add.js']);
    expect(git(repository, 'branch', '--list', 'switchyard/*')).not.toBe('');
  } finally {
    await open.close();
  }
});

test.each([
  ['openai:gpt-5.1', /OPENAI_API_KEY/],
  ['http://127.0.0.1:PORT/v1#able', /127\.0\.0\.1:PORT/],
])(
  'own repository: with %s, which cannot be asked, up stops before any work and says why',
  async (model, why) => {
    const port = String(await freePort());
    const repository = terminal.makeRepository(`not-asked-${port}`, adder);
    const state = join(terminal.area, `not-asked-${port}-state`);
    const ended = await terminal.switchyard([
      ...['--state', state, 'up', '--repo', repository, '--test', adderTest, '--once'],
      ...['--model', model.replace('PORT', port)],
    ]);
    expect(ended.error).toMatch(new RegExp(why.source.replace('PORT', port)));
    expect(ended.error).not.toMatch(/scripted|is up after/);
    expect(ended.code).toBe(1);
    // No broker was started, and nothing was asked for.
    expect(globSync(join(state, 'nats/**/*.blk'))).toEqual([]);
    expect(git(repository, 'branch', '--list', 'switchyard/*')).toBe('');
  },
);

test('own repository: Ctrl-C is heard while a model is asked whether it answers', async () => {
  const silent = await startOpenAiServer({ behave: () => ({ kind: 'hang' }) });
  try {
    const state = ['--state', join(terminal.area, 'interrupted')];
    const up = terminal.start([...state, 'up', '--model', `${silent.url}#test-model`]);
    await up.says(/asking/);
    up.kill('SIGINT');
    const { code, error } = await up.ended;
    expect(code).toBe(130);
    expect(error).not.toContain('is up after');
  } finally {
    await silent.close();
  }
});

describe('own repository, on a running mesh:', () => {
  let up: Up;
  const live: { subject: string; kind: string; text?: string }[] = [];

  beforeAll(async () => {
    const model = (more: object = {}) => ({
      backend: 'openai',
      url: models.url,
      apiKeyVariable: 'PLANTED_KEY',
      timeoutMs: 20_000,
      ...more,
    });
    const prices = {
      inputMicroDollars: 1_000_000,
      outputMicroDollars: 2_000_000,
      source: 'here',
      asOf: '2026-11-20',
    };
    const config = terminal.configure('mesh.yaml', {
      processes: { coder: 1 },
      models: {
        ...Object.fromEntries(Object.keys(players).map((name) => [name, model()])),
        able: model({ prices }),
        silent: model({ timeoutMs: 1000 }),
        stuck: model({ timeoutMs: 60_000 }),
        'stuck-once': model({ timeoutMs: 60_000 }),
      },
      roles: {
        coder: { models: ['refusing', 'able'] },
        reviewer: { models: ['able'] },
        planner: { models: ['two-items'] },
        tester: { models: ['two-items'] },
      },
    });
    up = await terminal.up('mesh', ['--config', config], { PLANTED_KEY: canary });
    up.client.bus.connection.subscribe(`${up.mesh.namespace}.live.>`, {
      callback: (_error, message) =>
        void live.push({ subject: message.subject, ...message.json<{ kind: string; text?: string }>() }),
    });
    await up.client.bus.connection.flush();
  });

  interface Outcome {
    taskId: string;
    state: string;
    spend: { calls: number; inputTokens: number; outputTokens: number; costMicroDollars: number };
    pause?: { kind: string; reason: string; mend: string };
    reasons: string[];
  }
  const outcome = (ended: Ended) => resultOf<Outcome>(ended);

  async function fix(name: string, words: string[], files: Record<string, string> = adder) {
    const repository = terminal.makeRepository(name, files);
    return {
      repository,
      ended: await up.switchyard(['fix', repository, '--test', adderTest, '--json', ...words]),
    };
  }

  /** Starts a task on a model that hangs, and resolves once it hangs. */
  async function hanging(name: string, model: string) {
    const repository = terminal.makeRepository(name, adder);
    const before = models.requests.length;
    const { taskId } = outcome(
      await up.switchyard(['fix', repository, '--test', adderTest, '--model', model, '--no-watch', '--json']),
    );
    const request = await eventually(
      () => models.requests.slice(before).find((one) => one.body.model === model),
      `${model} to be asked`,
    );
    return { taskId, request, repository };
  }

  test.concurrent('streamed tool calls are performed, words are seen live, usage is counted and paid, apply merges', async () => {
    const { repository, ended } = await fix('streamed', ['--model', 'able', '--goal', 'Mend the sum']);
    expect(ended).toMatchObject({ code: 0 });
    const { taskId, spend } = outcome(ended);
    expect(spend).toEqual({
      calls: 3,
      inputTokens: 3 * usage.inputTokens,
      outputTokens: 3 * usage.outputTokens,
      costMicroDollars: 3 * 1000 + 3 * 20,
    });
    expect(git(repository, 'rev-list', '--count', 'HEAD')).toBe('1');
    const applied = await up.switchyard(['apply', taskId, '--json']);
    expect(applied).toMatchObject({ code: 0 });
    expect(outcome(applied)).toMatchObject({ how: 'fast_forward', files: ['add.js'] });
    expect(readFileSync(join(repository, 'add.js'), 'utf8')).toContain('one + other');
    execFileSync(process.execPath, ['check.js'], { cwd: repository });
  });

  test.concurrent.each([
    ['garbled', 'arguments are no JSON object'],
    ['inventive', 'There is no tool \\"open-editor\\"'],
  ])('a model whose first call is %s is told so, and goes on to the end', async (model, telling) => {
    const { ended } = await fix(model, ['--model', model]);
    expect(ended).toMatchObject({ code: 0 });
    expect(outcome(ended).spend.calls).toBe(4);
    const asked = models.requests
      .filter((one) => one.body.model === model)
      .map(({ body }) => JSON.stringify(body));
    expect(asked.some((body) => body.includes(telling))).toBe(true);
  });

  test.concurrent('a model that never calls a tool ends the task paused, with the likely cause, and its words were seen live', async () => {
    const { ended } = await fix('talker', ['--model', 'talker']);
    expect(ended).toMatchObject({ code: 7 });
    const { taskId, pause } = outcome(ended);
    expect(pause?.reason).toContain('never called a tool: does this model support tool calling?');
    expect(pause?.mend).toContain(`./switchyard resume ${taskId}`);
    const texts = live.filter((one) => one.subject.startsWith(`yard.live.${taskId}.`) && one.kind === 'text');
    expect(texts.length).toBeGreaterThan(3);
    expect(texts.map((one) => one.text).join('')).toContain('I would put a plus there.');
  });

  test.concurrent('a model that is busy is asked again no sooner than it wished, and one that fails twice until it answers', async () => {
    const beganAtMs = Date.now();
    const [busy, shaky] = await Promise.all([
      fix('busy', ['--model', 'busy']),
      fix('shaky', ['--model', 'shaky']),
    ]);
    expect(busy.ended).toMatchObject({ code: 0 });
    expect(shaky.ended).toMatchObject({ code: 0 });
    expect(Date.now() - beganAtMs).toBeGreaterThan(1000);
    const { taskId } = outcome(busy.ended);
    const retries = live.filter(
      (one) => one.subject.startsWith(`yard.live.${taskId}.`) && one.kind === 'retry',
    );
    expect(retries).toMatchObject([
      { waitMs: expect.any(Number), message: expect.stringContaining('slow down') },
    ]);
    expect((retries[0] as unknown as { waitMs: number }).waitMs).toBeGreaterThanOrEqual(1000);
    // Each is asked twice and once more by the reviewer; failures come on top.
    expect(models.requests.filter((one) => one.body.model === 'busy')).toHaveLength(4);
    expect(models.requests.filter((one) => one.body.model === 'shaky')).toHaveLength(5);
  });

  test.concurrent('a model that hangs is given up after its time: paused with the mend, which lets another model go on', async () => {
    const { ended } = await fix('silent', ['--model', 'silent']);
    expect(ended).toMatchObject({ code: 7 });
    const { taskId, pause } = outcome(ended);
    expect(pause).toMatchObject({ kind: 'model', mend: `./switchyard resume ${taskId}` });
    // Whose clock was first, the run's or that of whoever asks the model, is open.
    expect(pause?.reason).toMatch(/silent: (no answer came in time|.*1000 ms)/);
    const resumed = await up.switchyard(['resume', taskId, '--model', 'able', '--watch', '--json']);
    expect(resumed).toMatchObject({ code: 0 });
  });

  test.concurrent('where the first model fails the second one does the work, and the record says why', async () => {
    const { ended } = await fix('fallback', []);
    expect(ended).toMatchObject({ code: 0 });
    const events = await up.client.read(outcome(ended).taskId);
    const rerouted = events.filter(({ event }) => event.type.includes('run.rerouted'));
    expect(rerouted.length).toBeGreaterThan(0);
    expect(JSON.stringify(rerouted[0]?.event.data)).toContain('no such thing here');
  });

  test.concurrent('a planner divides the goal, and a coder and a tester do the two items one after the other', async () => {
    const { ended, repository } = await fix('planned', ['--plan', '--goal', 'Mend the sum and show it']);
    expect(ended).toMatchObject({ code: 0 });
    const result = resultOf<{ plan: object[]; taskId: string }>(ended);
    expect(result.plan).toMatchObject(plan.items);
    const branch = `switchyard/${result.taskId}`;
    expect(git(repository, 'show', `${branch}:add.js`)).toContain('one + other');
    expect(git(repository, 'show', `${branch}:nothing.test.js`)).toContain('check.js');
  });

  test.concurrent('where the tests pass already it asks what to do, and goes on with the answer', async () => {
    const green = { ...adder, 'add.js': 'export const add = (one, other) => one + other;\n' };
    const { ended, repository } = await fix('green', ['--model', 'told'], green);
    expect(ended).toMatchObject({ code: 7 });
    const { taskId, pause } = outcome(ended);
    expect(pause).toMatchObject({ kind: 'question', mend: `./switchyard answer ${taskId} "..."` });
    expect(pause?.reason).toMatch(/tests pass already.*Say what should change/);
    // It did not cost a model call.
    expect(outcome(ended).spend.calls).toBe(0);
    const answered = await up.switchyard(['answer', taskId, 'Subtract as well', '--watch', '--json']);
    expect(answered).toMatchObject({ code: 0 });
    expect(git(repository, 'show', `switchyard/${taskId}:subtract.js`)).toContain('subtract');
  });

  test.concurrent('what --setup makes is there for the tests, and is no part of the change', async () => {
    const files = {
      ...adder,
      'setup.js':
        "import { mkdirSync, writeFileSync } from 'node:fs';\nmkdirSync('made');\nwriteFileSync('made/one.js', 'export const one = 1;\\n');\n",
      'check.js': `import { one } from './made/one.js';\n${adder['check.js'].replace('add(1, 2)', 'add(one, 2)')}`,
    };
    const { ended, repository } = await fix('setup', ['--model', 'able', '--setup', 'node setup.js'], files);
    expect(ended).toMatchObject({ code: 0 });
    const { taskId } = outcome(ended);
    expect(git(repository, 'diff', '--name-only', 'main', `switchyard/${taskId}`)).toBe('add.js');
  });

  test.concurrent('cancel ends a task in the middle of a model call, which is called off', async () => {
    const { taskId, request } = await hanging('cancelled', 'stuck');
    const cancelled = await up.switchyard(['cancel', taskId, '--reason', 'no longer wanted', '--json']);
    expect(cancelled).toMatchObject({ code: 0 });
    expect(outcome(cancelled)).toMatchObject({ state: 'cancelled' });
    await eventually(() => request.aborted, 'the call to be hung up');
    const watched = await up.switchyard(['watch', taskId, '--json']);
    expect(watched).toMatchObject({ code: 3 });
    expect(outcome(watched).reasons.join()).toContain('no longer wanted');
    // Nothing more applies to it, and that is said.
    const again = await up.switchyard(['resume', taskId]);
    expect(again).toMatchObject({
      code: 1,
      error: expect.stringContaining('does not apply: the task is cancelled'),
    });
  });

  test.concurrent('pause stops a run, and resume lets it go on to the end', async () => {
    const { taskId, request } = await hanging('stopped', 'stuck-once');
    const paused = await up.switchyard(['pause', taskId, '--reason', 'lunch', '--json']);
    expect(paused).toMatchObject({ code: 0 });
    expect(outcome(paused)).toMatchObject({ state: 'paused' });
    await eventually(() => request.aborted, 'the call to be hung up');
    const resumed = await up.switchyard(['resume', taskId, '--watch', '--json']);
    expect(resumed).toMatchObject({ code: 0 });
  });

  test.concurrent('a review that is never content ends paused with the findings, and one cycle more is enough', async () => {
    const { ended } = await fix('strict', ['--model', 'strict', '--cycles', '0', '--goal', 'Write notes'], {
      ...adder,
      'add.js': 'export const add = (one, other) => one + other;\n',
    });
    expect(ended).toMatchObject({ code: 7 });
    const { taskId, pause } = outcome(ended);
    expect(pause).toMatchObject({ kind: 'bound', mend: `./switchyard resume ${taskId} --cycles 1` });
    expect(JSON.stringify(outcome(ended))).toContain('There is fault 1.');
    const resumed = await up.switchyard(['resume', taskId, '--cycles', '1', '--watch', '--json']);
    expect(resumed).toMatchObject({ code: 0 });
  });

  test('the key is in no event, log or file, though every call bore it', async () => {
    expect(models.requests.length).toBeGreaterThan(20);
    expect(models.requests.every((one) => one.headers.authorization === `Bearer ${canary}`)).toBe(true);
    const files = globSync(join(up.stateDirectory, '**/*'), { exclude: [] }).filter((path) =>
      statSync(path).isFile(),
    );
    // The record, every log and every workspace are among them.
    expect(files.some((path) => path.endsWith('.blk'))).toBe(true);
    expect(files.some((path) => path.includes('inference') && path.endsWith('.log'))).toBe(true);
    const holding = files.filter((path) => readFileSync(path).includes(canary));
    expect(holding).toEqual([]);
    expect(up.error() + up.out()).not.toContain(canary);
    // A key that a shell can show of a process is in the environment of those alone that ask models.
    const seeing = up.mesh.processes.filter(({ pid }) =>
      readFileSync(`/proc/${pid}/environ`, 'utf8').includes(canary),
    );
    expect(seeing.map((one) => one.name)).toEqual(['up', 'inference']);
  });
});
