import { linkSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { replaceExactly } from './edit-file.ts';
import { nearestText } from './nearest-text.ts';
import { makeRun, policyForTests, type TestRun } from './step-for-tests.ts';

let run: TestRun;
const source = `function a() {\n  return 1;\n}\n\nfunction b() {\n  return 1;\n}\n`;

beforeAll(async () => {
  run = await makeRun({
    'src/slots.js': source,
    'src/crlf.txt': 'one\r\ntwo\r\n',
    'test/slots.test.js': 'protected\n',
    'long.txt': Array.from({ length: 3000 }, (_, line) => `line ${line + 1}`).join('\n') + '\n',
    '.gitignore': 'ignored/\n*.log\n',
    'empty.txt': '',
    '.hidden/x.js': 'needle in hidden\n',
  });
  mkdirSync(join(run.workspace.path, 'ignored'));
  writeFileSync(join(run.workspace.path, 'ignored/x.js'), 'needle in ignored\n');
  writeFileSync(join(run.at.area, 'outside.txt'), 'needle outside\n');
  symlinkSync(run.at.area, join(run.workspace.path, 'ignored/out'));
});
afterAll(() => run.end());

test('read-file: numbered lines, a range, and a cut that says how to go on', async () => {
  expect((await run.step('read-file', { path: 'src/slots.js', from: 5, to: 6 })).output).toBe(
    'src/slots.js, lines 5-6 of 7\n5\tfunction b() {\n6\t  return 1;',
  );
  const long = await run.step('read-file', { path: './long.txt' });
  expect(Buffer.byteLength(long.output)).toBeLessThanOrEqual(policyForTests.outputBytes + 100);
  const next = Number(/go on with from: (\d+)/.exec(long.output)![1]);
  expect(long.output).toContain(`${next - 1}\tline ${next - 1}`);
  expect((await run.step('read-file', { path: 'long.txt', from: 2999 })).output).toMatch(
    /2999-3000 of 3000\n.*\n3000\tline 3000$/,
  );
  expect((await run.step('read-file', { path: 'empty.txt' })).output).toBe('empty.txt is empty.');
});

test('read-file: what cannot be read is failed, what is forbidden is denied, each with the reason', async () => {
  expect(await run.step('read-file', { path: 'none.js' })).toMatchObject({
    status: 'failed',
    output: expect.stringMatching(/does not exist/),
  });
  expect(await run.step('read-file', { path: 'src' })).toMatchObject({
    status: 'failed',
    output: expect.stringMatching(/list-dir/),
  });
  expect(await run.step('read-file', { path: 'long.txt', from: 4000 })).toMatchObject({ status: 'failed' });
  for (const path of [
    '../outside.txt',
    join(run.at.area, 'outside.txt'),
    '.git',
    'ignored/out/outside.txt',
  ]) {
    expect(await run.step('read-file', { path }), path).toMatchObject({ status: 'denied' });
  }
});

test('list-dir: entries with marks, levels below, without .git', async () => {
  expect((await run.step('list-dir', {})).output).toBe(
    '.\n.gitignore\n.hidden/\nempty.txt\nignored/\nlong.txt\nsrc/\ntest/',
  );
  expect((await run.step('list-dir', { path: 'ignored', depth: 2 })).output).toBe('ignored\nout@\nx.js');
  expect((await run.step('list-dir', { path: '.', depth: 2 })).output).toContain(
    '\nsrc/\n  crlf.txt\n  slots.js\n',
  );
  expect(await run.step('list-dir', { path: 'ignored/out' })).toMatchObject({ status: 'denied' });
  expect(await run.step('list-dir', { path: '..' })).toMatchObject({ status: 'denied' });
});

test('search-files: lines found with their places; not in ignored files, behind links or in .git', async () => {
  expect((await run.step('search-files', { pattern: 'return \\d' })).output).toBe(
    'src/slots.js:2:  return 1;\nsrc/slots.js:6:  return 1;',
  );
  expect((await run.step('search-files', { pattern: 'needle' })).output).toBe(
    '.hidden/x.js:1:needle in hidden',
  );
  expect((await run.step('search-files', { pattern: 'gitdir', glob: '.git' })).output).toBe(
    'Nothing was found.',
  );
  expect(
    (await run.step('search-files', { pattern: 'a()', literal: true, path: 'src', glob: '*.js' })).output,
  ).toBe('src/slots.js:1:function a() {');
  expect(
    (await run.step('search-files', { pattern: 'FUNCTION', ignoreCase: true, path: 'src/slots.js' })).output,
  ).toContain('src/slots.js:5:');
  expect((await run.step('search-files', { pattern: '--files' })).output).toBe('Nothing was found.');
  expect(await run.step('search-files', { pattern: '(' })).toMatchObject({
    status: 'failed',
    output: expect.stringMatching(/unclosed/),
  });
  expect(await run.step('search-files', { pattern: 'needle', path: 'ignored/out' })).toMatchObject({
    status: 'denied',
  });
  expect(await run.step('search-files', { pattern: 'needle', path: '../' })).toMatchObject({
    status: 'denied',
  });
});

test('search-files: a file that is too large is named, whether or not something was found', async () => {
  const large = join(run.workspace.path, 'large.txt');
  writeFileSync(large, `rarity\n${'x'.repeat(10 * 1024 * 1024)}`);
  writeFileSync(join(run.workspace.path, 'ignored/large.txt'), 'x'.repeat(11 * 1024 * 1024));
  const skipped = 'Not searched, since larger than 10 MiB: large.txt. Give one as path to search it.';
  const search = async (args: Record<string, unknown>) => (await run.step('search-files', args)).output;
  expect(await search({ pattern: 'rarity' })).toBe(`Nothing was found. ${skipped}`);
  expect(await search({ pattern: 'rarity', path: 'large.txt' })).toBe('large.txt:1:rarity');
  expect(await search({ pattern: 'needle' })).toBe(`.hidden/x.js:1:needle in hidden\n${skipped}`);
  expect(await search({ pattern: 'rarity', glob: '*.js' })).toBe('Nothing was found.');
  rmSync(large);
  expect(await search({ pattern: 'rarity' })).toBe('Nothing was found.');
});

test('edit-file: one exact occurrence is replaced and committed, with the diff', async () => {
  const before = run.workspace.head();
  const outcome = await run.step('edit-file', {
    path: 'src/slots.js',
    find: 'a() {\n  return 1',
    replace: 'a() {\n  return $&2',
  });
  expect(outcome).toMatchObject({
    status: 'ok',
    commit: run.workspace.head(),
    output: expect.stringMatching(/at line 1/),
  });
  expect(outcome.commit).not.toBe(before);
  expect(outcome.diff).toMatch(/-  return 1;\n\+  return \$&2;/);
  expect(
    await run.step('edit-file', { path: 'src/slots.js', find: 'function', replace: 'const', all: true }),
  ).toMatchObject({
    status: 'ok',
    output: expect.stringMatching(/2 occurrences/),
  });
  expect(
    await run.step('edit-file', { path: 'src/crlf.txt', find: 'one\ntwo', replace: 'one\nthree' }),
  ).toMatchObject({ status: 'ok' });
  expect(readFileSync(join(run.workspace.path, 'src/crlf.txt'), 'utf8')).toBe('one\r\nthree\r\n');
});

test('edit-file: what does not fit changes nothing and says what is there instead', async () => {
  const before = run.workspace.head();
  for (const [find, said] of [
    ['return 7;', /nearest text is at lines 6:\n6\t  return 1;/],
    ['nothing like it at all, whatever', /Nothing in the file is like it/],
    ['const', /there 2 times, at lines 1, 5/],
  ] as const) {
    const outcome = await run.step('edit-file', { path: 'src/slots.js', find, replace: 'x' });
    expect(outcome).toMatchObject({ status: 'failed', output: expect.stringMatching(said) });
    expect(outcome.commit).toBeUndefined();
  }
  expect(await run.step('edit-file', { path: 'none', find: 'a', replace: 'b' })).toMatchObject({
    status: 'failed',
  });
  expect(run.workspace.head()).toBe(before);
});

test('nearest text: white space alone is named as the difference', () => {
  expect(nearestText('if (a) {\n\treturn;\n}\n', 'if (a) {\n    return;\n}')).toMatch(
    /only in white space.*lines 1-3:\n1\tif/,
  );
  expect(nearestText('a\r\nb\r\nc\n', 'a\nb')).toMatch(/only in white space.*lines 1-2:\n1\ta\\r\n/);
  expect(nearestText('const total = prices.sum();\n', 'const total = price.sum();')).toMatch(/lines 1:/);
});

test('nearest text: of a long file the beginning is compared, and of a long line too', () => {
  const linesUpTo = (last: number) =>
    [...Array.from({ length: last - 1 }, () => '-'), 'const total = prices.sum();'].join('\n');
  const find = 'const total = price.sum();';
  expect(nearestText(linesUpTo(20_000), find)).toMatch(/at lines 20000:/);
  expect(nearestText(linesUpTo(20_001), find)).toMatch(/Nothing in the file is like it/);
  const [alike, other] = ['a', 'b'].map((end) => `${'x'.repeat(200)}${end.repeat(300)}`);
  expect(nearestText(alike!, other!)).toMatch(/at lines 1:/);
});

test('edit: the same text on both sides is refused', () => {
  expect(replaceExactly('a', 'a', 'a', false)).toMatchObject({ fits: false });
});

test('write-file: a new file with its directories, one replaced; both committed', async () => {
  expect(await run.step('write-file', { path: 'src/new/deep.js', content: 'x\n' })).toMatchObject({
    status: 'ok',
    output: 'src/new/deep.js was made (2 bytes).',
    diff: expect.stringMatching(/new file mode 100644/),
  });
  expect(await run.step('write-file', { path: 'src/new/deep.js', content: 'y\n' })).toMatchObject({
    output: expect.stringMatching(/replaced/),
  });
});

test('write-file and edit-file: protected, outside, linked and ignored files are not touched', async () => {
  symlinkSync('test/slots.test.js', join(run.workspace.path, 'innocent.js'));
  linkSync(join(run.at.area, 'outside.txt'), join(run.workspace.path, 'hard.txt'));
  const denied = [
    'test/slots.test.js',
    'innocent.js',
    'test/new.js',
    '../x',
    '.git/config',
    'hard.txt',
    'node_modules/x/index.js',
    '/etc/x',
    '',
  ];
  for (const path of denied.filter(Boolean)) {
    // The links are part of the worktree as a program could have left them; the step itself must begin clean.
    const outcome = await run.step('write-file', { path, content: 'x' });
    expect(outcome, path).toMatchObject({ status: 'denied' });
    expect(outcome.commit, path).toBeUndefined();
  }
  expect(
    await run.step('edit-file', { path: 'test/slots.test.js', find: 'protected', replace: 'x' }),
  ).toMatchObject({ status: 'denied' });
  expect(await run.step('write-file', { path: 'debug.log', content: 'x' })).toMatchObject({
    status: 'failed',
    output: expect.stringMatching(/ignored by git/),
  });
  expect(readFileSync(join(run.at.area, 'outside.txt'), 'utf8')).toBe('needle outside\n');
  expect(readFileSync(join(run.workspace.path, 'test/slots.test.js'), 'utf8')).toBe('protected\n');
  await run.workspace.reset(run.workspace.head());
  expect(
    await run.step('write-file', { path: 'test/new.test.js', content: 'x' }, { role: 'tester' }),
  ).toMatchObject({ status: 'ok' });
});
