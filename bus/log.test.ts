import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const canary = 'cAnArY0123456789cAnArY';
// In halves, so that this file does not look like it holds a key.
const key = `sk-` + `proj-${canary}`;
const logFile = JSON.stringify(join(import.meta.dirname, 'log.ts'));

/** Runs a program that logs, and returns what it wrote to standard error. */
async function logged(statements: string, level = 'trace'): Promise<string> {
  const source = `const { openLog } = await import(${logFile});
    const log = openLog('coder.1', '${level}'); const canary = '${canary}'; const key = '${key}';
    ${statements}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [output, other] = ['', ''];
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (output += text));
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (other += text));
  await new Promise((resolve) => void child.on('close', resolve));
  // Standard output is for results.
  expect(other).toBe('');
  return output;
}

const linesOf = (output: string): Record<string, unknown>[] =>
  output
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test.each([
  ['at the root', `log.info({ password: canary }, 'said');`],
  [
    'deep within',
    `log.info({ a: [{ b: { clientSecret: canary, headers: { authorization: canary } } }] }, 'said');`,
  ],
  ['in the message', `log.info('said with ' + key);`],
  ['in the message beside an object', `log.info({}, 'said with ' + key);`],
  ['as a part of the message', `log.info({}, 'said with %s', key);`],
  ['as an object in the message', `log.info('said with %o', { password: canary });`],
  ['in an error', `log.error({ error: new Error('said ' + key) }, 'said');`],
  ['in an error by the name that pino knows', `log.error({ err: new Error('said ' + key) });`],
  ['in an error alone', `log.error(new Error('said ' + key));`],
  ['in the cause of an error', `log.error({ error: new Error('said', { cause: new Error(key) }) }, 'said');`],
  ['on an error', `log.error({ error: Object.assign(new Error('said'), { token: canary }) }, 'said');`],
  ['in an address', `log.warn({ url: 'nats://coder:' + canary + '@127.0.0.1:4222' }, 'said');`],
  ['in a cycle', `const one = { password: canary }; one.self = one; log.info({ one }, 'said');`],
])('log: a secret %s does not come out, and the line is there', async (_, statement) => {
  const output = await logged(statement);
  expect(output).not.toContain(canary);
  const [line, ...more] = linesOf(output);
  expect(more).toEqual([]);
  expect(line).toMatchObject({ name: 'coder.1' });
  expect(output).toContain('said');
  expect(output).toContain('[censored]');
});

test('log: what goes to a collector while a process is debugged is censored like the file', async () => {
  const output = await logged(
    `const lines = []; const line = (level, fields, text) => void lines.push({ level, fields, text });
     globalThis[Symbol.for('switchyard.telemetry')] = { line };
     const second = openLog('coder.2', 'info');
     second.warn({ a: [{ password: canary }] }, 'said with ' + key); second.info('alone ' + key);
     second.error(new Error('broken ' + key)); second.debug('quiet');
     process.stderr.write(JSON.stringify({ lines }) + '\\n');`,
  );
  expect(output).not.toContain(canary);
  const { lines } = linesOf(output).at(-1) as { lines: { level: number; text: string; fields: object }[] };
  expect(lines.map((one) => [one.level, one.text])).toEqual([
    [40, 'said with [censored]'],
    [30, 'alone [censored]'],
    [50, 'broken [censored]'],
  ]);
  expect(lines[0]!.fields).toEqual({ a: [{ password: '[censored]' }] });
});

test('log: a line is JSON with time, level, name, words and what belongs to them', async () => {
  const [info, error, plain] = linesOf(
    await logged(
      `log.info({ step: 3, inputTokens: 812 }, 'step %d of 100% done', 3);
       log.error({ error: new TypeError('broken') }, 'a line\\nof two');
       log.warn('alone');`,
    ),
  );
  expect(info).toMatchObject({
    level: 30,
    name: 'coder.1',
    msg: 'step 3 of 100% done',
    step: 3,
    inputTokens: 812,
  });
  expect(info!['time']).toBeTypeOf('number');
  expect(error).toMatchObject({
    level: 50,
    msg: 'a line\nof two',
    error: { type: 'TypeError', message: 'broken' },
  });
  expect((error!['error'] as { stack: string }).stack).toContain('TypeError: broken');
  expect(plain).toMatchObject({ level: 40, msg: 'alone' });
});

test('log: what is less severe than the level is not written', async () => {
  const lines = linesOf(await logged(`log.debug('quiet'); log.info('quiet'); log.warn('loud');`, 'warn'));
  expect(lines.map((line) => line['msg'])).toEqual(['loud']);
});

test('log: on a terminal it is pretty, and as silent about secrets', (context) => {
  if (!existsSync('/usr/bin/script')) context.skip('there is no script(1) here to make a terminal');
  const source = `const { openLog } = await import(${logFile}); const log = openLog('coder.1', 'info');
    log.info({ password: '${canary}', step: 3 }, 'said with ${key}'); setTimeout(() => {}, 300);`;
  const command = `'${process.execPath}' --input-type=module -e "$SOURCE"`;
  const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], SOURCE: source },
  });
  expect(stdout).toContain('INFO');
  expect(stdout).toMatch(/step.*3/);
  expect(stdout).not.toContain('"level":30');
  expect(stdout).not.toContain(canary);
});
