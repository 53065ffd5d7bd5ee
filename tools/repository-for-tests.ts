import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A folder of its own for a test, with a state directory and a repository as a user would have it. */
export interface TestRepository {
  area: string;
  state: string;
  /** The user's repository, on branch `main` with one commit. */
  repository: string;
  commit: string;
  /** Runs git in the user's repository, as the user would. */
  git(...args: string[]): string;
  write(path: string, text: string): void;
  remove(): void;
}

export function makeRepository(
  files: Record<string, string> = { 'a.txt': 'one\n', 'src/b.js': 'two\n' },
): TestRepository {
  const area = realpathSync(mkdtempSync(join(tmpdir(), 'switchyard-tools-')));
  const repository = join(area, 'repository');
  mkdirSync(repository);
  const environment = {
    PATH: process.env['PATH'],
    HOME: area,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'A User',
    GIT_AUTHOR_EMAIL: 'user@localhost',
    GIT_COMMITTER_NAME: 'A User',
    GIT_COMMITTER_EMAIL: 'user@localhost',
  };
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: repository, env: environment, encoding: 'utf8', stdio: 'pipe' }).trim();
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(repository, path)), { recursive: true });
    writeFileSync(join(repository, path), text);
  };
  git('init', '--quiet', '--initial-branch=main');
  for (const [path, text] of Object.entries(files)) write(path, text);
  git('add', '--all');
  git('commit', '--quiet', '--allow-empty', '--message=first');
  const remove = (): void => rmSync(area, { recursive: true, force: true });
  return {
    area,
    state: join(area, 'state'),
    repository,
    commit: git('rev-parse', 'HEAD'),
    git,
    write,
    remove,
  };
}
