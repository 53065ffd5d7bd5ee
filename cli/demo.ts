import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { Config } from '../config/config.ts';
import { modelDefinitions } from '../config/model-options.ts';
import { checkoutRoot, demoDirectory } from '../config/state.ts';
import type { Overrides } from '../config/overrides.ts';
import { deriveId, taskIdOf } from '../schemas/envelope.ts';

/** The demo's files: a repository to be, and the replies that were written beforehand. */
const example = join(checkoutRoot, 'docs/examples/meeting-slots');

export const demoGoal = 'Make the tests pass';
export const demoTest = 'node --test';
export const demoSource = '/switchyard/demo';

/**
 * Makes a git repository for the demo below the state folder and returns its path. Each demo has one of its own, so that
 * what an earlier one did can still be applied.
 */
export function makeDemoRepository(stateDirectory: string): string {
  const first = join(demoDirectory(stateDirectory), 'meeting-slots');
  let directory = first;
  for (let number = 2; existsSync(directory); number += 1) directory = `${first}-${number}`;
  mkdirSync(demoDirectory(stateDirectory), { recursive: true });
  cpSync(join(example, 'repository'), directory, { recursive: true });
  const git = (...args: string[]) =>
    execFileSync(
      'git',
      [
        '-c',
        'core.hooksPath=/dev/null',
        '-c',
        'commit.gpgSign=false',
        '-c',
        'init.defaultBranch=main',
        ...args,
      ],
      {
        cwd: directory,
        stdio: 'pipe',
        env: {
          PATH: process.env['PATH'],
          HOME: directory,
          GIT_CONFIG_NOSYSTEM: '1',
          GIT_AUTHOR_NAME: 'Switchyard demo',
          GIT_AUTHOR_EMAIL: 'demo@localhost',
          GIT_COMMITTER_NAME: 'Switchyard demo',
          GIT_COMMITTER_EMAIL: 'demo@localhost',
        },
      },
    );
  git('init', '--quiet');
  git('add', '--all');
  git('commit', '--quiet', '--message', 'Meeting slots, with a fault in it');
  return directory;
}

const script = join(example, 'script.yaml');

/** True where nothing but the demo's replies can be asked: they fit no other repository. */
export function hasOnlyDemoReplies({
  models,
  roles,
  routes,
}: Pick<Config, 'models' | 'roles' | 'routes'>): boolean {
  const named = new Set([...Object.values(roles), ...routes].flatMap((one) => one.models));
  const asked = modelDefinitions(models).filter((model) => named.has(model.name));
  return asked.length > 0 && asked.every((model) => model.backend === 'scripted' && model.script === script);
}

export const isDemoRepository = (stateDirectory: string, repository: string) =>
  repository.startsWith(demoDirectory(stateDirectory) + sep);

/**
 * The demo's own configuration: one model, whose replies were written beforehand and say so. Models, rules and bounds of
 * the file are not the demo's: it costs nothing, and comes out as it was written, whatever stands there.
 */
export function demoOverrides(repository: string): Overrides {
  return {
    onlyMesh: true,
    allow: { repositories: [repository], tests: [demoTest] },
    models: {
      scripted: {
        backend: 'scripted',
        pool: 'scripted',
        script,
        contextTokens: 32_768,
        maxTokens: 2048,
        timeoutMs: 60_000,
        tags: ['scripted'],
      },
    },
    roles: { planner: ['scripted'], coder: ['scripted'], tester: ['scripted'], reviewer: ['scripted'] },
  };
}

/** The step in the middle of which the demo kills its own coder: the second edit of the first run. */
const killedStep = 6;

/** A fault point, what plants it, and the step of the run that it stands in. */
export interface DemoFault {
  point: string;
  fault: string;
  runId: string;
  step: number;
}

/**
 * Where the demo's coder is held until it is killed: its edit is made and committed, its result is not journaled yet.
 * The run's id follows from the request's, so that no other task is ever held.
 */
export function demoFault(requestId: string): DemoFault {
  const runId = deriveId(taskIdOf({ source: demoSource, id: requestId }), 'run', 0);
  const point = `${runId}.edit-file.${killedStep}.1`;
  return { point, fault: `acted=${point}:hold`, runId, step: killedStep };
}
