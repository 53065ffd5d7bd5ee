import { expect, test } from 'vitest';
import { isGitName, mayCallTool, mayChangeFile, mayStartProgram, workspacePath } from './policy.ts';
import type { ToolPolicy } from './tool.ts';

const policy: ToolPolicy = {
  tools: ['read-file', 'run-program'],
  programs: [
    ['npm', 'test'],
    ['node', '--test', '**'],
    ['git', 'show', '*'],
  ],
  protect: ['test/**', '**/*.test.js', 'package.json'],
  withoutSandbox: 'refuse',
  timeoutMs: 1000,
  outputBytes: 1000,
};

test('policy: a tool that the role does not have is refused with the ones it has', () => {
  expect(mayCallTool(policy, 'reviewer', 'read-file')).toEqual({ allowed: true });
  expect(mayCallTool(policy, 'reviewer', 'write-file')).toEqual({
    allowed: false,
    reason: 'The role reviewer may not use write-file. It may use: read-file, run-program.',
  });
});

test.each([
  [['npm', 'test'], true],
  [['npm', 'test', '--', '--x'], false],
  [['npm', 'testing'], false],
  [['npm'], false],
  [['/evil/npm', 'test'], false],
  [['node', '--test'], true],
  [['node', '--test', 'a.js', 'b.js'], true],
  [['node', '-e', 'x', '--test'], false],
  [['git', 'show', 'HEAD'], true],
  [['git', 'show'], false],
  [['git', 'show', 'HEAD', '--output=x'], false],
  [['npm', 'test\0'], false],
  [[], false],
  [[''], false],
])('policy: starting %j is allowed: %s', (argv, expected) => {
  expect(mayStartProgram(policy, argv).allowed).toBe(expected);
});

test('policy: a pattern whose program is a wildcard allows nothing', () => {
  for (const programs of [[['**']], [['*', 'test']], [[]]]) {
    expect(mayStartProgram({ ...policy, programs }, ['npm', 'test']).allowed).toBe(false);
  }
});

test.each([
  ['src/a.js', 'src/a.js'],
  ['./src//a.js', 'src/a.js'],
  ['.', ''],
  ['/w/src/a.js', 'src/a.js'],
  ['/w', ''],
  ['.gitignore', '.gitignore'],
  ['.github/workflows/ci.yml', '.github/workflows/ci.yml'],
  ['a..b/c', 'a..b/c'],
])('policy: the path %s is %s in the workspace', (path, expected) => {
  expect(workspacePath('/w', path)).toEqual({ allowed: true, path: expected });
});

test.each([
  ['/etc/passwd', /outside/],
  ['/workspace/a', /outside/],
  ['../a', /"\.\."/],
  ['src/../../a', /"\.\."/],
  ['/w/../etc', /"\.\."/],
  ['.git/config', /git's own/],
  ['sub/.GIT/hooks/x', /git's own/],
  ['.Git', /git's own/],
  ['.git. /x', /git's own/],
  ['.git::$INDEX_ALLOCATION/x', /git's own/],
  ['GIT~1/x', /git's own/],
  ['.g\u200cit/x', /git's own/],
  ['a\0b', /NUL/],
])('policy: the path %j is refused', (path, reason) => {
  const verdict = workspacePath('/w', path);
  expect(verdict.allowed).toBe(false);
  expect('reason' in verdict && verdict.reason).toMatch(reason);
});

test('policy: names that only resemble .git are free', () => {
  expect(['.gitignore', 'git', '.git2', 'x.git', '.gitmodules'].filter(isGitName)).toEqual([]);
});

test.each([
  ['coder', 'src/a.js', true],
  ['coder', 'test/a.js', false],
  ['coder', 'TEST/A.js', false],
  ['coder', 'src/deep/a.test.js', false],
  ['coder', 'a.test.js', false],
  ['coder', 'package.json', false],
  ['coder', 'test/.hidden', false],
  ['tester', 'test/a.js', true],
  ['tester', 'node_modules/x/index.js', false],
  ['coder', 'pkg/Node_Modules/x.js', false],
  ['coder', '', false],
])('policy: %s may change %s: %s', (role, path, expected) => {
  expect(mayChangeFile(policy, role, path).allowed).toBe(expected);
});
