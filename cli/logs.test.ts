import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { logsDirectory } from '../config/state.ts';
import { openTaskLogs } from './task-logs.ts';
import { builtProgram } from '../tests/built-program.ts';

const taskId = 'a1eb8b98-ac05-5390-87c8-03869fe6c662';
const other = 'b1eb8b98-ac05-5390-87c8-03869fe6c662';

/** A state folder with the logs of two processes. */
function openState(): string {
  const state = mkdtempSync(join(tmpdir(), 'switchyard-state-'));
  onTestFinished(() => rmSync(state, { recursive: true }));
  mkdirSync(logsDirectory(state), { recursive: true });
  const line = (time: number, name: string, task: string, msg: string) =>
    `${JSON.stringify({ level: 30, time, pid: 1, name, task, run: 'r1', msg })}\n`;
  writeFileSync(
    join(logsDirectory(state), 'coder-1.log'),
    `${line(30, 'coder.1', taskId, 'run.stepped')}not json about ${taskId}\n${line(5, 'coder.1', other, 'else')}`,
  );
  writeFileSync(
    join(logsDirectory(state), 'manager-2.log'),
    line(20, 'manager.1', taskId, 'task.accepted') + line(40, 'manager.1', taskId, 'task.completed'),
  );
  return state;
}
const environment = { PATH: process.env['PATH'] };
const words = (state: string, args: string[]) => [
  builtProgram('cli/main.ts'),
  'logs',
  ...args,
  '--state',
  state,
];
const ask = (state: string, ...args: string[]) =>
  execFileSync(process.execPath, words(state, args), { encoding: 'utf8', env: environment });

test('logs: the lines about a task, of all processes, in the order of their times, without a mesh', () => {
  const state = openState();
  const lines = ask(state, 'latest', '--json').trimEnd().split('\n');
  expect(lines.map((one) => JSON.parse(one) as unknown)).toEqual([
    { atMs: 20, level: 30, name: 'manager.1', text: 'task.accepted', task: taskId, run: 'r1' },
    { atMs: 30, level: 30, name: 'coder.1', text: 'run.stepped', task: taskId, run: 'r1' },
    { atMs: 40, level: 30, name: 'manager.1', text: 'task.completed', task: taskId, run: 'r1' },
    { result: { taskId, lines: 3 } },
  ]);
  expect(ask(state, 'a1eb')).toMatch(/00\.020 INFO {2}manager\.1 +task\.accepted {2}run=r1\n/);
  expect(ask(state, 'b1')).toContain('else');
});

test('logs: what comes is read from where it stood, also of a file that was emptied meanwhile', async () => {
  const state = openState();
  const logs = openTaskLogs(logsDirectory(state));
  expect(await logs.linesOf(taskId)).toHaveLength(3);
  expect(await logs.linesOf(taskId)).toEqual([]);
  const file = join(logsDirectory(state), 'coder-1.log');
  const more = (msg: string) =>
    `${JSON.stringify({ level: 40, time: 50, name: 'coder.1', task: taskId, msg })}\n`;
  appendFileSync(file, more('more'));
  expect((await logs.linesOf(taskId)).map((one) => one.text)).toEqual(['more']);
  writeFileSync(file, more('anew'));
  expect((await logs.linesOf(taskId)).map((one) => one.text)).toEqual(['anew']);
});

test('logs: with --follow also the lines that come, until Ctrl-C, which is no failure', async () => {
  const state = openState();
  const args = words(state, ['a1eb', '--follow', '--json']);
  const following = spawn(process.execPath, args, { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void following.kill('SIGKILL'));
  const ended = once(following, 'exit');
  const lines = createInterface({ input: following.stdout })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value as string) as unknown;
  for (const text of ['task.accepted', 'run.stepped', 'task.completed'])
    expect(await next()).toMatchObject({ text });
  const line = { level: 40, time: 50, name: 'router.1', task: taskId, msg: 'a process that came later' };
  writeFileSync(join(logsDirectory(state), 'router-3.log'), `${JSON.stringify(line)}\n`);
  expect(await next()).toMatchObject({ name: 'router.1', text: 'a process that came later' });
  following.kill('SIGINT');
  expect(await next()).toEqual({ result: { taskId, lines: 4 } });
  expect(await ended).toEqual([0, null]);
});
