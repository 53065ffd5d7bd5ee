import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { allowInState, forbidInState } from '../config/allowed.ts';
import { lockStateDirectory } from '../config/state-lock.ts';
import { writeMeshFile } from '../config/mesh-file.ts';
import { keepOverrides } from '../config/overrides.ts';
import { builtProgram } from '../tests/built-program.ts';
import { freePort } from '../tests/terminal.ts';

let folder: string;
let state: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchyard-cli-'));
  state = join(folder, 'state');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  code: number;
  out: string;
  error: string;
}

/** The command as a person starts it, on a state folder of its own. */
function switchyard(...words: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [builtProgram('cli/main.ts'), '--state', state, ...words],
      {
        cwd: folder,
        timeout: 120_000,
      },
      (_, out, error) => resolve({ code: child.exitCode ?? -1, out, error }),
    );
  });
}

test('switchyard: without a mesh a verb says how to start one, and exits 6', async () => {
  const { code, out, error } = await switchyard('status');
  expect(code).toBe(6);
  expect(out).toBe('');
  expect(error).toContain(`no mesh runs on ${state}`);
  // As it stands, so that it can be typed.
  expect(error).toContain(`./switchyard --state ${state} up`);
});

test('switchyard: with --json an error is one document on standard output, and the code is the same', async () => {
  const { code, out } = await switchyard('list', '--json');
  expect(code).toBe(6);
  expect(JSON.parse(out)).toMatchObject({
    error: { problems: [expect.stringContaining('no mesh runs')], exitCode: 6 },
  });
});

test('switchyard: what is read slowly is written whole before the command ends', async () => {
  const file = join(folder, 'long.yaml');
  const long = 'x'.repeat(900);
  const mistakes = Array.from({ length: 200 }, (_, number) => `mistake${number}${long}: 1\n`);
  writeFileSync(file, mistakes.join(''));
  const command = `"${process.execPath}" "${builtProgram('cli/main.ts')}" --state "${state}" config validate --json --config "${file}" 2>/dev/null | (sleep 1; cat)`;
  const out = await new Promise<string>((resolve) =>
    execFile('sh', ['-c', command], { maxBuffer: 100_000_000 }, (_, text) => resolve(text)),
  );
  expect(out.length).toBeGreaterThan(100_000);
  expect(JSON.parse(out)).toMatchObject({ error: { exitCode: 2 } });
});

test.each([
  [['stat'], /unknown command 'stat'.*Did you mean/s, './switchyard --help'],
  [['list', '--limit', 'x'], /--limit.*Give a whole number/, './switchyard list --help'],
  [['start', 'coderr'], /there is no role "coderr".*did you mean "coder"/, './switchyard start --help'],
  [[], /no command was named/, './switchyard --help'],
  [['dead'], /no command was named/, './switchyard dead --help'],
])(
  'switchyard: %j with --json is answered on standard output, and in one style without',
  async (words, why, mend) => {
    const { code, out } = await switchyard(...words, '--json');
    expect(code).toBe(2);
    expect(JSON.parse(out)).toEqual({ error: { problems: [expect.stringMatching(why)], mend, exitCode: 2 } });
    const plain = await switchyard(...words);
    expect(plain.error).toMatch(/^switchyard: /m);
    expect(plain.error).toContain(`to mend it: ${mend}`);
    expect(plain.error).not.toMatch(/^error:/m);
  },
);

test('switchyard: a role is not started without a mesh, as every verb: exit 6', async () => {
  const { code, error } = await switchyard('start', 'coder');
  expect(error).toContain(`no mesh runs on ${state}`);
  expect(code).toBe(6);
});

test.each([
  [['--once']],
  [['--broker-only', '--demo']],
  [['--broker-only', '--repo', '.', '--test', 'true']],
  [['--goal', 'x', '--once']],
  [['--repo', '.', '--once']],
])('switchyard: up %j does not fit together, and is refused before anything is made', async (words) => {
  const fresh = join(folder, 'never-made');
  const { code, error } = await switchyard('up', '--state', fresh, ...words);
  expect(error).toContain('to mend it:');
  expect(code).toBe(2);
  expect(existsSync(fresh)).toBe(false);
});

test('switchyard: a state folder that cannot be is refused with the reason, not tried for ever', async () => {
  const { code, error } = await switchyard('up', '--state', '/proc/switchyard/state');
  expect(error).toContain('the state folder /proc/switchyard/state cannot be used');
  expect(code).toBe(2);
});

test('switchyard: healthy makes no folder to look for what was started', async () => {
  const fresh = join(folder, 'not-there');
  for (const there of [fresh, '/proc/switchyard/state'])
    expect(await switchyard('healthy', '--state', there)).toMatchObject({
      code: 1,
      error: expect.stringContaining(`./switchyard --state ${there} up`) as string,
    });
  expect(existsSync(fresh)).toBe(false);
});

test('switchyard: a state folder that is a file is named, whatever the verb', async () => {
  const file = join(folder, 'a-file');
  writeFileSync(file, '');
  for (const verb of ['up', 'status'])
    expect(await switchyard(verb, '--state', file)).toMatchObject({
      code: 2,
      error: expect.stringContaining(`the state folder ${file} cannot be used`) as string,
    });
});

test.each([
  [['sttaus'], 'Did you mean status?'],
  [['list', '--limti', '3'], 'Did you mean --limit?'],
  [['submit'], "required option '--repo <dir>'"],
  [['cancel'], "missing required argument 'task'"],
  [['resume', 'latest', '--deadline', 'soon'], 'such as 90s, 30m, 1h'],
  [['resume', 'latest', '--budget', 'much'], 'Give dollars, such as 1.50'],
  [['resume', 'latest', '--cycles', '-1'], 'Give a whole number'],
  [['list', '--state-is', 'sleeping'], 'Allowed choices are running'],
  [['submit', '--repo', '.', '--source', 'ci'], '--id'],
  [['doctor', '--model', 'what'], 'ollama:NAME'],
  [['fix', '', '--test', 'true'], "argument '' is invalid for argument 'dir'. It is empty."],
  [['fix', '.', '--goal', '  '], "'--goal <text>' argument '  ' is invalid. It is empty."],
  [
    ['fix', '.', '--goal', 'x'.repeat(20_001)],
    `argument '${'x'.repeat(80)}…' is invalid. It has 20001 characters`,
  ],
  [['fix', '.', '--test', 'true', '--approve-plan'], '--approve-plan goes with --plan'],
  [['submit', '--repo', '.', '--test', ''], "'--test <command>' argument '' is invalid. It is empty."],
  [['submit', '--repo', '.', '--deadline', '1ms'], 'Give at least 1s'],
  [['submit', '--repo', '.', '--id', ''], "'--id <id>' argument '' is invalid. It is empty."],
  [['submit', '--repo', '.', '--id', 'a\nb'], 'It holds a line break'],
  [['up', '--repo', '', '--test', 'true'], "'--repo <dir>' argument '' is invalid. It is empty."],
  [['models', 'bench', '--tokens', '0'], "option '--tokens <count>' argument '0' is invalid"],
])('switchyard: %j is wrong usage and says what would be right', async (words, right) => {
  const { code, error } = await switchyard(...words);
  expect(error).toContain(right);
  expect(code).toBe(2);
});

test('switchyard: help exits 0 and shows examples and the global options', async () => {
  const { code, out } = await switchyard('fix', '--help');
  expect(code).toBe(0);
  expect(out).toContain('Examples:');
  expect(out).toContain('--state <dir>');
  expect((await switchyard('--version')).out.trim()).toMatch(/^\d+\.\d+\.\d+/);
});

test('switchyard: version tells itself and its Node', async () => {
  const { code, out } = await switchyard('version', '--json');
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({
    version: expect.stringMatching(/^\d/),
    node: process.versions.node,
  });
});

test('switchyard: a broken switchyard.yaml names every mistake with its line and the nearest spelling, and exits 2', async () => {
  const file = join(folder, 'broken.yaml');
  writeFileSync(file, 'mesh:\n  nmae: x\nlimits:\n  hops: many\n');
  for (const verb of [['status'], ['config', 'validate'], ['doctor']]) {
    const { code, error } = await switchyard(...verb, '--config', file);
    expect(code).toBe(2);
    expect(error).toMatch(/broken\.yaml:2:.*mesh\.nmae: .*did you mean "name"\?/);
    expect(error).toMatch(/broken\.yaml:4:.*limits\.hops: .*accepted:/);
  }
});

test('switchyard: config validate looks into GGUF files', async () => {
  const file = join(folder, 'cut.yaml');
  writeFileSync(join(folder, 'cut.gguf'), 'GGUF');
  writeFileSync(file, 'models: { one: { backend: llama, file: cut.gguf } }\n');
  const { code, error } = await switchyard('config', 'validate', '--config', file);
  expect(error).toMatch(/models\.one\.file: .*cut\.gguf/);
  expect(code).toBe(2);
});

test('switchyard: config init writes a file that validates, and does not write over it', async () => {
  const file = join(folder, 'new.yaml');
  expect((await switchyard('config', 'init', '--config', file)).code).toBe(0);
  expect(statSync(file).mode & 0o077).toBe(0);
  expect((await switchyard('config', 'validate', '--config', file)).out).toContain(`valid: ${file}`);
  const nowhere = await switchyard('config', 'init', '--config', join(folder, 'none/new.yaml'));
  expect(nowhere).toMatchObject({ code: 1, error: expect.stringContaining('its folder is not there') });
  writeFileSync(file, '# mine\n');
  const again = await switchyard('config', 'init', '--config', file);
  expect(again.code).toBe(1);
  expect(again.error).toContain('--force');
  expect(readFileSync(file, 'utf8')).toBe('# mine\n');
});

test('switchyard: config show prints what holds, and validate --json the digest of it', async () => {
  const shown = JSON.parse((await switchyard('config', 'show', '--json')).out) as {
    digest: string;
    config: { limits: { hops: number } };
  };
  expect(shown.config.limits.hops).toBe(5);
  expect(JSON.parse((await switchyard('config', 'validate', '--json')).out)).toMatchObject({
    digest: shown.digest,
  });
});

test('switchyard: config show names every source of what it shows', async () => {
  const plain = await switchyard('config', 'show');
  expect(plain.out).toMatch(/^# the defaults: there is no switchyard\.yaml\nmesh:/);
  allowInState(state, { test: 'make surely' });
  keepOverrides(state, { mesh: {}, log: { level: 'warn' } });
  const { out } = await switchyard('config', 'show');
  expect(out).toMatch(/^# the defaults: there is no switchyard\.yaml\n# over them\n/);
  expect(out).toContain(`#   ${join(state, 'allowed.yaml')}: what was allowed`);
  expect(out).toContain(`#   ${join(state, 'overrides.json')}: what the last \`up\` was started with`);
  const file = join(folder, 'small.yaml');
  writeFileSync(file, 'limits: { hops: 3 }\n');
  const json = JSON.parse((await switchyard('config', 'show', '--json', '--config', file)).out) as {
    sources: { what: string }[];
  };
  expect(json.sources.map((one) => one.what)).toEqual(['file', 'allowed', 'overrides']);
  forbidInState(state, { repositories: [], tests: ['make surely'], setups: [] });
  keepOverrides(state, { mesh: {} });
  expect((await switchyard('config', 'show')).out).toBe(plain.out);
});

test('switchyard: a model that up refuses is not among the models afterwards', async () => {
  const refused = await switchyard('up', '--model', 'http://127.0.0.1:1/v1#gone');
  expect(refused).toMatchObject({ code: 1, error: expect.stringContaining('cannot be used') });
  expect((await switchyard('config', 'show')).out).not.toContain('gone');
});

test('switchyard: a mesh that died is an unreachable broker, not a stack trace', async () => {
  const dead = join(folder, 'dead');
  mkdirSync(dead, { mode: 0o700 });
  const port = await freePort();
  writeMeshFile(dead, {
    name: 'x',
    namespace: 'yard',
    url: `nats://127.0.0.1:${port}`,
    ports: {},
    processes: [],
    startedAtMs: 1,
  });
  const gone = await switchyard('list', '--state', dead);
  expect(gone).toMatchObject({ code: 6, error: expect.stringContaining(`no mesh runs on ${dead}`) });
  const lock = lockStateDirectory(dead);
  const lost = await switchyard('list', '--state', dead);
  lock.release();
  expect(lost.code).toBe(4);
  expect(lost.error).toContain('credentials cannot be read');
  const named = join(folder, 'named.yaml');
  writeFileSync(named, `mesh: { url: nats://127.0.0.1:${port} }\n`);
  const unreachable = await switchyard('list', '--config', named);
  expect(unreachable.code).toBe(6);
  expect(unreachable.error).toContain(`no nats-server answers at nats://127.0.0.1:${port}`);
  expect(unreachable.error).not.toMatch(/\n\s+at /);
});

test('switchyard: doctor finds what is needed here, and names what mends the rest', async () => {
  const { code, out } = await switchyard('doctor', '--no-models', '--json');
  const { ok, checks } = JSON.parse(out) as {
    ok: boolean;
    checks: { name: string; state: string; mend?: string }[];
  };
  expect(checks.map((one) => one.name)).toEqual(
    expect.arrayContaining([
      'Node.js',
      'git',
      'npm',
      'nats-server',
      'mesh',
      'disk',
      'state',
      'sandbox',
      'search',
      'ports',
    ]),
  );
  expect(checks.filter((one) => one.state !== 'ok' && !one.mend)).toEqual([]);
  expect(code).toBe(ok ? 0 : 1);
});

test('switchyard: doctor exits 1 for an occupied port, with the mend', async () => {
  const server = createServer();
  const port = await new Promise<number>((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
  );
  try {
    const file = join(folder, 'port.yaml');
    writeFileSync(file, `mesh: { port: ${port} }\n`);
    const { code, out } = await switchyard('doctor', '--no-models', '--config', file);
    expect(code).toBe(1);
    expect(out).toContain(`${port} on loopback cannot be had: it is in use`);
    expect(out).toContain('leave mesh.port out');
  } finally {
    server.close();
  }
});

test('switchyard: doctor says of a dead model endpoint where it asked', async () => {
  const port = await freePort();
  const { code, out } = await switchyard('doctor', '--model', `http://127.0.0.1:${port}/v1#some-model`);
  expect(code).toBe(1);
  expect(out).toContain(`127.0.0.1:${port}`);
});
