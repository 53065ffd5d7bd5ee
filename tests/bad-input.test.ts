import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { shortType } from '../schemas/envelope.ts';
import { agentRoles } from '../schemas/row.ts';
import { adder, adderScript, adderTest, slowScene } from './scenes.ts';
import { freePort, openTerminal, resultOf, type Ended, type Terminal, type Up } from './terminal.ts';
import { eventually, followUntil, git } from './yard-parts.ts';

// One mesh for all that is asked of it, used from top to bottom.

let terminal: Terminal;
let up: Up;
let deadPort: number;

/** A configuration with which the adder can be mended. */
function able(more: object = {}) {
  const script = join(terminal.area, 'script.yaml');
  writeFileSync(script, stringify([slowScene, ...adderScript]));
  return {
    processes: { coder: 1, planner: 0, tester: 0 },
    models: { scripted: { backend: 'scripted', pool: 'scripted', script } },
    roles: Object.fromEntries(agentRoles.map((role) => [role, { models: ['scripted'] }])),
    ...more,
  };
}

beforeAll(async () => {
  terminal = await openTerminal();
  deadPort = await freePort();
  const allowed = join(terminal.area, 'allowed');
  mkdirSync(allowed);
  const config = able();
  up = await terminal.up('state', [
    '--config',
    terminal.configure('switchyard.yaml', {
      ...config,
      allow: { repositories: [allowed], tests: [adderTest] },
      models: {
        ...config.models,
        down: { backend: 'openai', pool: 'down', url: `http://127.0.0.1:${deadPort}/v1` },
      },
    }),
  ]);
});
afterAll(() => terminal?.close());

const submit = (repository: string, ...words: string[]) =>
  up.switchyard(['submit', '--repo', repository, '--json', ...words]);

// What comes in at yard.submit.

const request = { specversion: '1.0', id: 'one', source: '/test', type: 'dev.switchyard.task.submit.v1' };

test.each([
  { it: 'no JSON', body: 'make the tests pass', reasons: [/not JSON|no JSON/] },
  { it: 'no object', body: '["goal"]', reasons: [/JSON array/, /one message for each event/] },
  {
    it: 'a wrong envelope',
    body: JSON.stringify({ specversion: '2.0', type: request.type, data: {} }),
    reasons: [/specversion/, /\bid\b/, /source/],
  },
  {
    it: 'an unknown type',
    body: JSON.stringify({ ...request, type: 'dev.switchyard.task.sumbit.v1', data: {} }),
    reasons: [
      /unknown type or version "dev\.switchyard\.task\.sumbit\.v1"; the nearest is dev\.switchyard\.task\.submit\.v1/,
    ],
  },
  {
    it: 'an unknown version',
    body: JSON.stringify({ ...request, type: 'dev.switchyard.task.submit.v9', data: {} }),
    reasons: [/v9.*the nearest is dev\.switchyard\.task\.submit\.v1/],
  },
  {
    it: 'what only a role may say',
    body: JSON.stringify({ ...request, type: 'dev.switchyard.task.completed.v1', data: {} }),
    reasons: [/task\.completed/, /not for asking/],
  },
  {
    it: 'a request about a task that breaks its schema',
    body: JSON.stringify({
      ...request,
      type: 'dev.switchyard.task.cancel.v1',
      data: { taskId: 'that one', why: 'x' },
    }),
    reasons: [/taskId/, /why/],
  },
])('bad input: $it becomes a dead letter with every reason', async ({ body, reasons }) => {
  const before = (await up.client.deadLetters()).length;
  up.client.bus.connection.publish('yard.submit', body);
  const letter = await eventually(
    async () => (await up.client.deadLetters())[before],
    'the dead letter',
    10_000,
    50,
  );
  expect(letter).toMatchObject({ subject: 'yard.submit', body });
  for (const reason of reasons) expect(letter.reason).toMatch(reason);
});

test('bad input: dead letters are listed, and shown whole, so that whoever sent one can mend it', async () => {
  const listed = await up.switchyard(['dead', 'list', '--json']);
  expect(listed.code).toBe(0);
  const letters = resultOf<{ id: string; reason: string }[]>(listed);
  expect(letters).toHaveLength(7);
  const shown = await up.switchyard(['dead', 'show', letters[0]!.id]);
  expect(shown.code).toBe(0);
  expect(shown.out).toContain('make the tests pass');
  expect(shown.out).toContain(letters[0]!.reason);
});

test('bad input: a task that breaks its schema is rejected with every reason at once', async () => {
  const known = new Set((await up.client.taskJournals()).map(({ taskId }) => taskId));
  const body = { goal: '', test: 7, tset: adderTest, limits: { hops: -1 } };
  up.client.bus.connection.publish('yard.submit', JSON.stringify(body));
  const journal = await eventually(
    async () => (await up.client.taskJournals()).find(({ taskId }) => !known.has(taskId)),
    'the rejection',
    10_000,
    100,
  );
  const watched = await up.switchyard(['watch', journal.taskId, '--json']);
  expect(watched.code).toBe(5);
  const { state, reasons } = resultOf<{ state: string; reasons: string[] }>(watched);
  expect(state).toBe('rejected');
  for (const field of ['goal', 'test', 'tset', 'limits', 'repository'])
    expect(reasons.join('\n')).toContain(field);
});

// Repositories and commands.

const rejects = (ended: Ended, ...reasons: RegExp[]) => {
  expect(ended).toMatchObject({ code: 5 });
  const result = resultOf<{ state: string; reasons: string[] }>(ended);
  expect(result.state).toBe('rejected');
  for (const reason of reasons) expect(result.reasons.join('\n')).toMatch(reason);
};

test('bad input: a repository that cannot be worked on is rejected with the reason', async () => {
  const allowed = join(terminal.area, 'allowed');
  mkdirSync(join(allowed, 'plain'));
  mkdirSync(join(allowed, 'unborn'));
  git(join(allowed, 'unborn'), 'init', '--quiet');
  writeFileSync(join(allowed, 'file'), '');
  const outside = terminal.makeRepository('outside', adder);
  const [absent, file, plain, unborn, elsewhere, both] = await Promise.all([
    submit(join(allowed, 'absent'), '--test', adderTest),
    submit(join(allowed, 'file'), '--test', adderTest),
    submit(join(allowed, 'plain'), '--test', adderTest),
    submit(join(allowed, 'unborn'), '--test', adderTest),
    submit(outside, '--test', adderTest),
    submit(outside, '--test', 'rm -rf /', '--setup', 'curl x', '--model', 'absent'),
  ]);
  rejects(absent!, /allowed\/absent does not exist/);
  rejects(file!, /file is not a directory/);
  rejects(plain!, /not a git repository/i);
  rejects(unborn!, /no commit/);
  rejects(elsewhere!, /outside.*(allow|fix)/s);
  // All at once, each with what would be right.
  rejects(
    both!,
    /repository: /,
    /test: "rm -rf \/" is not allowed; the operator allows "node check\.js"/,
    /setup: "curl x" is not allowed/,
    /model: "absent" is not configured; there are: .*scripted/,
  );
});

test('bad input: what is not committed is said, left out and left alone', async () => {
  const repository = terminal.makeRepository('allowed/dirty', adder);
  writeFileSync(join(repository, 'add.js'), 'half a sentence');
  writeFileSync(join(repository, 'new.js'), 'new');
  const ended = await up.switchyard(['submit', '--repo', repository, '--test', adderTest]);
  expect(ended).toMatchObject({ code: 0 });
  expect(ended.error).toMatch(
    /2 file\(s\) with uncommitted changes are left as they are and left out: work starts from commit [0-9a-f]{12}/,
  );
  const taskId = ended.out.trim();
  expect(
    shortType(
      (await followUntil(up.client, taskId, (_one, type) => /^task\.(completed|paused)/.test(type))).event
        .type,
    ),
  ).toBe('task.completed');
  expect(git(repository, 'status', '--porcelain')).toBe('M add.js\n?? new.js');
});

test('bad input: fix and up on a folder that is not there stop at once', async () => {
  const absent = join(terminal.area, 'nowhere');
  const [fixed, upped] = await Promise.all([
    up.switchyard(['fix', absent, '--test', adderTest]),
    terminal.switchyard([
      '--state',
      join(terminal.area, 'nobody'),
      'up',
      '--repo',
      absent,
      '--test',
      adderTest,
      '--once',
    ]),
  ]);
  for (const one of [fixed!, upped!]) {
    expect(one).toMatchObject({
      code: 2,
      error: expect.stringMatching(/nowhere cannot be read.*name the repository's folder/),
    });
  }
});

test('bad input: a task for which no model is named is not begun', async () => {
  const repository = terminal.makeRepository('nobody-thinks', adder);
  // Far from the configuration that lies beside the other state folders.
  const state = join(terminal.area, 'far/away/state');
  const ended = await terminal.switchyard([
    ...['--state', state, 'up', '--repo', repository, '--test', adderTest, '--once'],
  ]);
  expect(ended).toMatchObject({ code: 2, error: expect.stringContaining('no model is named for the coder') });
  expect(ended.error).toContain('--model ollama:NAME');
  expect(ended.error).not.toContain('is up after');
});

test('bad input: a model that is down pauses the task, and the address is named', async () => {
  const repository = terminal.makeRepository('allowed/modelless', adder);
  const ended = await submit(repository, '--test', adderTest, '--model', 'down', '--watch');
  expect(ended).toMatchObject({ code: 7 });
  const { taskId, pause } = resultOf<{
    taskId: string;
    pause: { kind: string; reason: string; mend: string };
  }>(ended);
  expect(pause).toMatchObject({ kind: 'model', mend: `./switchyard resume ${taskId}` });
  expect(pause.reason).toContain(`127.0.0.1:${deadPort}`);
  expect(await up.switchyard(['resume', taskId, '--model', 'scripted', '--watch'])).toMatchObject({
    code: 0,
  });
});

// Starting a mesh, and reaching one.

test('bad input: an occupied port, and one that is none, are named with the mend', async () => {
  const { port } = new URL(up.mesh.url);
  const [occupied, wrong] = await Promise.all(
    [port, '70000'].map((one) =>
      terminal.switchyard(['--state', join(terminal.area, `port-${one}`), 'up', '--port', one]),
    ),
  );
  expect(occupied).toMatchObject({
    code: 1,
    error: expect.stringMatching(new RegExp(`Port ${port} is in use.*--port`)),
  });
  expect(wrong).toMatchObject({ code: 2, error: expect.stringMatching(/70000.*from 1 to 65535/) });
  expect(occupied!.error).not.toMatch(/\n\s+at /);
});

test('bad input: a second up on the same state folder is told who has it', async () => {
  const second = await up.switchyard(['up']);
  expect(second).toMatchObject({
    code: 1,
    error: expect.stringContaining(
      `a mesh already runs on ${up.stateDirectory}, started by process ${up.pid}`,
    ),
  });
  expect(second.error).toContain('--state DIR');
  // It disturbed nothing.
  expect(resultOf(await up.switchyard(['status', '--json']))).toMatchObject({ absentRoles: [] });
});

/** Says of itself that it is an old nats-server, and answers nothing else: a fake, since none so old can be had. */
function startFakeOldServer(): Promise<Server> {
  const info = {
    server_id: 'FAKE',
    version: '2.9.10',
    proto: 1,
    max_payload: 1_048_576,
    headers: true,
    jetstream: true,
  };
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write(`INFO ${JSON.stringify(info)}\r\n`);
    socket.on('data', (text) => void (String(text).includes('PING') && socket.write('PONG\r\n')));
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

test('bad input: a broker that is too old, or not there, is named with what is needed', async () => {
  const server = await startFakeOldServer();
  try {
    const { port } = server.address() as AddressInfo;
    const old = terminal.configure('old.yaml', { mesh: { url: `nats://127.0.0.1:${port}` } });
    const none = terminal.configure('none.yaml', { mesh: { url: `nats://127.0.0.1:${deadPort}` } });
    const state = (name: string) => ['--state', join(terminal.area, name)];
    const ended = await Promise.all([
      terminal.switchyard([...state('old'), 'status', '--config', old]),
      terminal.switchyard([...state('old'), 'up', '--config', old]),
      terminal.switchyard([...state('none'), 'status', '--config', none]),
      terminal.switchyard([...state('none'), 'up', '--config', none]),
    ]);
    for (const one of ended.slice(0, 2)) {
      expect(one).toMatchObject({
        code: 6,
        error: expect.stringMatching(/is version 2\.9\.10; Switchyard needs 2\.1\d\.\d+ or newer/),
      });
      expect(one.error).toContain('leaving mesh.url out');
    }
    for (const one of ended.slice(2)) {
      expect(one).toMatchObject({
        code: 6,
        error: expect.stringContaining(`no nats-server answers at nats://127.0.0.1:${deadPort}`),
      });
    }
  } finally {
    server.close();
  }
});

test('bad input: a broken switchyard.yaml names line, field, accepted values and the nearest spelling', async () => {
  const file = join(terminal.area, 'broken.yaml');
  writeFileSync(
    file,
    'mesh:\n  durabilty: power\nprocesses:\n  coder: many\nmodels:\n  one: { backend: openia }\nroles:\n  coder: { models: [two] }\n',
  );
  const { code, error } = await terminal.switchyard([
    '--state',
    join(terminal.area, 'broken'),
    'up',
    '--config',
    file,
  ]);
  expect(code).toBe(2);
  expect(error).toMatch(/broken\.yaml:2:.*mesh\.durabilty.*did you mean "durability"/);
  expect(error).toMatch(/broken\.yaml:4:.*processes\.coder.*0 to 64/);
  expect(error).toMatch(/broken\.yaml:6:.*models\.one\.backend.*openai, .*scripted/);
  writeFileSync(file, 'mesh: [unclosed\n');
  const unreadable = await terminal.switchyard([
    '--state',
    join(terminal.area, 'broken'),
    'up',
    '--config',
    file,
  ]);
  expect(unreadable).toMatchObject({ code: 2, error: expect.stringMatching(/broken\.yaml:\d+/) });
});

test('bad input: what may not be meant is said once by a start, with its place', async () => {
  const file = join(terminal.area, 'doubtful.yaml');
  writeFileSync(
    file,
    'models:\n  one: { backend: openai, url: "http://127.0.0.1:9/v1", apiKeyVariable: NOT_SET_KEY }\n',
  );
  const state = join(terminal.area, 'doubtful');
  const { code, error } = await terminal.switchyard(['--state', state, 'up', '--config', file]);
  expect(error.match(/warning: .*doubtful\.yaml:2:3 models\.one: the variable NOT_SET_KEY/g)).toHaveLength(1);
  // It goes on from there: asked for a word, the model gives none.
  expect(error).toContain('the model one cannot be used');
  expect(code).toBe(1);
});

test.each([
  [['start', 'codr'], /codr.*coder/s],
  [['strat', 'coder'], /Did you mean start\?/],
  [['up', '--onse'], /Did you mean --once\?/],
  [['up', '--once'], /--once goes with --repo/],
  [['up', '--goal', 'Mend the sum', '--test', 'npm test'], /--goal and --test go with --repo/],
  [['up', '--model', 'gpt-5'], /ollama:NAME/],
  [['up', '--durability', 'none'], /power.*process/s],
  [['watch', 'zzzz'], /no task.*zzzz/],
])('bad input: `%j` says what would be right', async (words, right) => {
  const isOwn = words[0] === 'up';
  const ended = isOwn
    ? await terminal.switchyard(['--state', join(terminal.area, 'wrong'), ...words])
    : await up.switchyard(words);
  expect(ended.error).toMatch(right);
  expect(ended.code).toBe(words[0] === 'watch' ? 1 : 2);
});

// A full disk.

const tmpfs = ['-t', 'tmpfs', '-o', 'size=128m', 'tmpfs'];
/** Why no disk of a certain size can be had here. */
function obstacle(): string | undefined {
  const place = join(terminal.area, 'mount');
  mkdirSync(place, { recursive: true });
  try {
    execFileSync('mount', [...tmpfs, place], { stdio: 'pipe' });
    execFileSync('umount', ['-l', place]);
    return undefined;
  } catch (error) {
    return (error as Error).message.split('\n').at(-1);
  }
}

/** Works on a disk of 128 MB that can be filled; skips, with the reason, where none can be mounted. */
async function onSmallDisk(
  skip: (why: string) => void,
  work: (disk: string, fill: (leftBytes: number) => void, empty: () => void) => Promise<void>,
): Promise<void> {
  const why = obstacle();
  if (why !== undefined) skip(`no tmpfs can be mounted here: ${why}`);
  const disk = mkdtempSync(join(terminal.area, 'disk-'));
  execFileSync('mount', [...tmpfs, disk]);
  const ballast = join(disk, 'ballast');
  const fill = (leftBytes: number) => {
    // Others write there meanwhile, so that what was free a moment ago may be too much to ask.
    for (let tries = 1; ; tries += 1) {
      const { bavail, bsize } = statfsSync(disk);
      try {
        const length = String(bavail * bsize - leftBytes);
        execFileSync('fallocate', ['--length', length, ballast], { stdio: 'pipe' });
        return;
      } catch (error) {
        if (tries === 10) throw error;
      }
    }
  };
  try {
    await work(disk, fill, () => rmSync(ballast));
  } finally {
    execFileSync('umount', ['-l', disk]);
  }
}

test('bad input: a full disk is said at the start, with the mend', async (context) => {
  await onSmallDisk(
    (why) => context.skip(why),
    async (disk, fill) => {
      const up = () => terminal.switchyard(['--state', join(disk, 'state'), 'up', '--broker-only']);
      fill(10_000_000);
      const few = await up();
      expect(few).toMatchObject({
        code: 1,
        error: expect.stringMatching(/disk that holds \S+ is full.*--state DIR/),
      });
      expect(few.error).not.toMatch(/is up after|\n\s+at /);
    },
  );
});

test('bad input: a disk that fills up in the middle of a task is said, and once there is room it goes on', async (context) => {
  await onSmallDisk(
    (why) => context.skip(why),
    async (disk, fill, empty) => {
      const state = relative(terminal.area, join(disk, 'state'));
      const mesh = await terminal.up(state, ['--config', terminal.configure('disk.yaml', able())]);
      const repository = terminal.makeRepository(relative(terminal.area, join(disk, 'crowded')), adder);
      const words = [
        'fix',
        repository,
        '--goal',
        'Mend the sum slowly',
        '--test',
        adderTest,
        '--no-watch',
        '--json',
      ];
      const { taskId } = resultOf<{ taskId: string }>(await mesh.switchyard(words));
      await followUntil(mesh.client, taskId, (_one, type) => type === 'call.intended');
      fill(0);
      // The model's answer cannot be stored.
      await mesh.says(/disk that holds \S+ is full.*nothing that was accepted is lost/i);
      const refused = await mesh.switchyard(['submit', '--repo', repository, '--test', adderTest]);
      expect(refused).toMatchObject({ code: 1, error: expect.stringMatching(/disk that holds \S+ is full/) });
      empty();
      await mesh.says(/room again/);
      const watched = await mesh.switchyard(['watch', taskId]);
      expect(watched.code, watched.error).toBe(0);
      expect(resultOf(await mesh.switchyard(['replay', taskId, '--verify', '--json']))).toMatchObject({
        isEqual: true,
      });
      mesh.kill('SIGTERM');
      await mesh.ended;
    },
  );
});
