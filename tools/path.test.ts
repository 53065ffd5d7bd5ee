import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, readFileSync, renameSync, statSync, symlinkSync } from 'node:fs';
import { chmodSync, existsSync, readdirSync, realpathSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readDirectory, readTextFile, removeFile, writeTextFile } from './file.ts';
import { obstacleFrom } from './path.ts';

let area: string;
let root: string;
let outside: string;
const anything = (): undefined => undefined;

beforeEach(() => {
  area = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard-path-')));
  root = join(area, 'workspace');
  outside = join(area, 'outside');
  mkdirSync(join(root, 'src'), { recursive: true });
  mkdirSync(join(root, '.git'));
  mkdirSync(outside);
  writeFileSync(join(root, 'src/a.js'), 'inside');
  writeFileSync(join(root, '.git/config'), 'private');
  writeFileSync(join(outside, 'secret'), 'secret');
});
afterEach(() => rmSync(area, { recursive: true, force: true }));

test('paths: a file is read and written, missing directories are made, the mode stays', async () => {
  chmodSync(join(root, 'src/a.js'), 0o755);
  expect(await readTextFile(root, 'src/a.js')).toEqual({ ok: true, realPath: 'src/a.js', text: 'inside' });
  const replaced = await writeTextFile(root, 'src/a.js', 'new', anything);
  expect(replaced).toEqual({ ok: true, realPath: 'src/a.js', created: false });
  expect(statSync(join(root, 'src/a.js')).mode & 0o777).toBe(0o755);
  const made = await writeTextFile(root, 'deep/er/b.js', 'b', anything);
  expect(made).toEqual({ ok: true, realPath: 'deep/er/b.js', created: true });
  expect(readFileSync(join(root, 'deep/er/b.js'), 'utf8')).toBe('b');
  expect(readdirSync(join(root, 'src'))).toEqual(['a.js']);
});

test('paths: links that stay inside are followed to the real path', async () => {
  symlinkSync('src/a.js', join(root, 'to-file'));
  symlinkSync('../src', join(root, 'src/up'));
  symlinkSync(join(root, 'src'), join(root, 'absolute'));
  for (const path of ['to-file', 'src/up/a.js', 'src/up/up/a.js', 'absolute/a.js']) {
    expect(await readTextFile(root, path)).toMatchObject({ ok: true, realPath: 'src/a.js' });
  }
  await writeTextFile(root, 'to-file', 'through the link', anything);
  expect(readFileSync(join(root, 'src/a.js'), 'utf8')).toBe('through the link');
});

test('paths: links that lead out are refused for reading, listing and writing', async () => {
  symlinkSync(join(outside, 'secret'), join(root, 'absolute'));
  symlinkSync('../outside/secret', join(root, 'relative'));
  symlinkSync(outside, join(root, 'directory'));
  symlinkSync('directory', join(root, 'twice'));
  symlinkSync(join(outside, 'new'), join(root, 'dangling'));
  symlinkSync(`${root}-sibling`, join(root, 'prefix'));
  symlinkSync('/', join(root, 'slash'));
  const paths = [
    'absolute',
    'relative',
    'directory/secret',
    'twice/secret',
    'dangling',
    'prefix/x',
    'slash/etc/passwd',
  ];
  for (const path of paths) {
    expect(await readTextFile(root, path), path).toMatchObject({ ok: false, kind: 'refused' });
    expect(await writeTextFile(root, path, 'x', anything), path).toMatchObject({
      ok: false,
      kind: 'refused',
    });
  }
  expect(await readDirectory(root, 'directory')).toMatchObject({ ok: false, kind: 'refused' });
  expect(await removeFile(root, 'directory/secret')).toBe(false);
  expect(readdirSync(outside)).toEqual(['secret']);
  expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('secret');
});

test('paths: .git is closed in every spelling, and through a link', async () => {
  mkdirSync(join(root, 'sub/.GIT'), { recursive: true });
  writeFileSync(join(root, 'sub/.GIT/config'), 'private');
  symlinkSync('.git', join(root, 'innocent'));
  symlinkSync('.git/config', join(root, 'config'));
  for (const path of ['.git/config', 'sub/.GIT/config', 'innocent/config', 'config', '.git', 'new/.git/x']) {
    expect(await readTextFile(root, path), path).toMatchObject({ ok: false });
    expect(await writeTextFile(root, path, 'x', anything), path).toMatchObject({
      ok: false,
      kind: 'refused',
    });
  }
  expect(readFileSync(join(root, '.git/config'), 'utf8')).toBe('private');
  expect(existsSync(join(root, 'new'))).toBe(false);
});

test('paths: a hard link is read but not written', async () => {
  linkSync(join(outside, 'secret'), join(root, 'hard'));
  expect(await writeTextFile(root, 'hard', 'x', anything)).toMatchObject({ ok: false, kind: 'refused' });
  expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('secret');
});

test('paths: a pipe, a directory, a loop and a missing file are told apart and hold nothing up', async () => {
  execFileSync('mkfifo', [join(root, 'pipe')]);
  symlinkSync('loop', join(root, 'loop'));
  expect(await readTextFile(root, 'pipe')).toMatchObject({
    kind: 'unfit',
    reason: 'pipe is not a regular file.',
  });
  expect(await writeTextFile(root, 'pipe', 'x', anything)).toMatchObject({ kind: 'refused' });
  expect(await readTextFile(root, 'src')).toMatchObject({ kind: 'unfit' });
  expect(await readTextFile(root, 'loop')).toMatchObject({ kind: 'unfit' });
  expect(await readTextFile(root, 'none/at/all')).toMatchObject({ kind: 'missing' });
  expect(await readTextFile(root, 'src/none')).toMatchObject({ kind: 'missing' });
  expect(await readTextFile(root, 'src/a.js/x')).toMatchObject({ kind: 'unfit' });
  expect(await writeTextFile(root, 'n'.repeat(300), 'x', anything)).toMatchObject({ kind: 'unfit' });
});

test('paths: binary, badly encoded and huge files are not read as text', async () => {
  writeFileSync(join(root, 'binary'), Buffer.from([1, 0, 2]));
  writeFileSync(join(root, 'latin'), Buffer.from([0xe9, 0x20]));
  writeFileSync(join(root, 'huge'), Buffer.alloc(10 * 1024 * 1024 + 1, 65));
  for (const path of ['binary', 'latin', 'huge']) {
    expect(await readTextFile(root, path), path).toMatchObject({ ok: false, kind: 'unfit' });
  }
});

test('paths: the permission is asked for the real path, before any directory is made', async () => {
  symlinkSync('src', join(root, 'alias'));
  const asked: string[] = [];
  const never = (path: string): string => {
    asked.push(path);
    return 'no';
  };
  expect(await writeTextFile(root, 'alias/a.js', 'x', never)).toMatchObject({
    kind: 'refused',
    reason: 'no',
  });
  expect(await writeTextFile(root, 'new/deep/file', 'x', never)).toMatchObject({ kind: 'refused' });
  expect(asked).toEqual(['src/a.js', 'new/deep/file']);
  expect(existsSync(join(root, 'new'))).toBe(false);
});

test('paths: a directory that is swapped for a link between check and use leads nowhere', async () => {
  mkdirSync(join(root, 'swap'));
  const swap = (): undefined => {
    // The walk stands in `swap` already when the permission is asked: the kernel must not look the name up again.
    renameSync(join(root, 'swap'), join(root, 'moved'));
    symlinkSync(outside, join(root, 'swap'));
    return undefined;
  };
  await writeTextFile(root, 'swap/file', 'x', swap);
  expect(readdirSync(outside)).toEqual(['secret']);
  expect(readFileSync(join(root, 'moved/file'), 'utf8')).toBe('x');
});

test('paths: a link that comes and goes a thousand times never leads out', async () => {
  let stop = false;
  // The writer under test makes missing directories too, so either may find the name taken.
  const attempt = (act: () => void): void => {
    try {
      act();
    } catch (error) {
      expect(['EEXIST', 'ENOTEMPTY']).toContain((error as NodeJS.ErrnoException).code);
    }
  };
  const flicker = (async () => {
    while (!stop) {
      attempt(() => rmSync(join(root, 'race'), { recursive: true, force: true }));
      attempt(() => symlinkSync(outside, join(root, 'race')));
      await new Promise((resolve) => setImmediate(resolve));
      attempt(() => rmSync(join(root, 'race'), { recursive: true, force: true }));
      attempt(() => mkdirSync(join(root, 'race')));
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  for (let round = 0; round < 500; round += 1) {
    const read = await readTextFile(root, 'race/secret');
    expect(read.ok && read.text).not.toBe('secret');
    await writeTextFile(root, 'race/new', 'x', anything).catch(() => undefined);
  }
  stop = true;
  await flicker;
  expect(readdirSync(outside)).toEqual(['secret']);
});

test('paths: removing takes the link, not what it leads to', async () => {
  symlinkSync(join(outside, 'secret'), join(root, 'link'));
  expect(await removeFile(root, 'link')).toBe(true);
  expect(await removeFile(root, 'link')).toBe(false);
  expect(existsSync(join(outside, 'secret'))).toBe(true);
  unlinkSync(join(outside, 'secret'));
});

test('paths: a full disk is our fault, not an answer to the model', () => {
  const full = Object.assign(new Error('no space'), { code: 'ENOSPC' });
  expect(() => obstacleFrom(full, 'a.js')).toThrow(/disk .* is full .*Free some space/);
});
