import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const canary = 'cAnArY0123456789cAnArY';
const telemetry = pathToFileURL(join(import.meta.dirname, 'telemetry.ts')).href;
const folder = mkdtempSync(join(tmpdir(), 'switchyard-telemetry-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a planted program with the telemetry preloaded. */
async function run(path: string, source: string, ...args: string[]) {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, source);
  const child = spawn(process.execPath, ['--import', telemetry, file, ...args], { stdio: 'pipe' });
  let [out, error] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (error += text));
  const code = await new Promise<number | null>((resolve) => void child.on('close', resolve));
  return { out, error, code };
}

test.each([
  ['an error thrown', `throw new TypeError('nats://coder:${canary}@127.0.0.1 refused');`],
  ['an error thrown later', `setTimeout(() => { throw new TypeError('MY_TOKEN=${canary} refused'); });`],
  [
    'a rejection',
    `Promise.reject(new TypeError('said --token ${canary} refused'));\nsetInterval(() => {}, 1000);`,
  ],
  [
    'an error with a secret on it',
    `throw Object.assign(new TypeError('refused'), { password: '${canary}' });`,
  ],
  [
    'an error with a cause',
    `throw new TypeError('refused', { cause: new Error('Authorization: Bearer ${canary}') });`,
  ],
])('telemetry: %s ends the process with one line of JSON and no secret', async (_, statement) => {
  const { error, code } = await run('agents/main.mjs', statement, 'coder');
  expect(error).not.toContain(canary);
  expect(error.trimEnd().split('\n')).toHaveLength(1);
  expect(JSON.parse(error)).toMatchObject({
    level: 60,
    name: 'coder',
    msg: expect.stringContaining('refused') as string,
    error: { type: 'TypeError', stack: expect.stringContaining('main.mjs') as string },
  });
  expect(code).toBe(1);
});

test("telemetry: what is no error is said too, and a caught error is nobody else's business", async () => {
  const thrown = await run('router/main.mjs', `throw 'just words';`);
  expect(JSON.parse(thrown.error)).toMatchObject({
    name: 'router',
    msg: expect.stringContaining('just words') as string,
  });
  const caught = await run('router/main.mjs', `try { throw new Error('x'); } catch {}\nconsole.log('on');`);
  expect(caught).toEqual({ out: 'on\n', error: '', code: 0 });
});

test('telemetry: the error of a worker goes to the thread that started it', async () => {
  const { out, code } = await run(
    'router/main.mjs',
    `import { Worker } from 'node:worker_threads';
     new Worker('throw new Error("lost")', { eval: true }).on('error', (error) => console.log('heard', error.message));`,
  );
  expect(out).toBe('heard lost\n');
  expect(code).toBe(0);
});

test.each([
  ['agents/main.mjs', ['coder'], 'coder'],
  ['agents/manager/main.mjs', ['--state', 'x'], 'manager'],
  ['cli/main.mjs', ['up'], 'up'],
])('telemetry: the line of %s %j bears the name %s', async (path, args, name) => {
  const { error } = await run(path, 'throw new Error("x");', ...args);
  expect(JSON.parse(error)).toMatchObject({ name });
});

test('telemetry: on a terminal a person reads the stack, without the secret', (context) => {
  if (!existsSync('/usr/bin/script')) context.skip('there is no script(1) here to make a terminal');
  const file = join(folder, 'thrown.mjs');
  writeFileSync(file, `throw new TypeError('MY_TOKEN=${canary} refused');`);
  const command = `'${process.execPath}' --import '${telemetry}' '${file}'`;
  const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], { encoding: 'utf8' });
  expect(stdout).toMatch(/^switchyard: TypeError: MY_TOKEN=.* refused\r?\n\s+at /);
  expect(stdout).not.toContain(canary);
});
