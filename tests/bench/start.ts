import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * How long `npm start -- --once` takes from a fresh clone with nothing cached but npm's own packages, and again in the
 * same place: `node tests/bench/start.ts`. What is committed is what is measured.
 */
const root = join(import.meta.dirname, '../..');
const place = mkdtempSync(join(tmpdir(), 'switchyard-start-'));
const clone = join(place, 'switchyard');
execFileSync('git', ['clone', '--quiet', root, clone]);
const environment = {
  ...process.env,
  XDG_CACHE_HOME: join(place, 'cache'),
  XDG_CONFIG_HOME: join(place, 'config'),
};

function startOnce(): { seconds: number; backAfterMs: number | undefined } {
  const from = performance.now();
  const run = spawnSync('npm', ['start', '--', '--once'], { cwd: clone, env: environment, encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`npm start ended with ${run.status}:\n${run.stdout}\n${run.stderr}`);
  const back = /back after (\d+) ms/.exec(run.stderr)?.[1];
  return {
    seconds: (performance.now() - from) / 1000,
    backAfterMs: back === undefined ? undefined : Number(back),
  };
}

const first = startOnce();
const second = startOnce();
console.log(
  JSON.stringify({
    freshCloneSeconds: +first.seconds.toFixed(1),
    secondSeconds: +second.seconds.toFixed(1),
    ratio: +(first.seconds / second.seconds).toFixed(1),
    backAfterKillMs: [first.backAfterMs, second.backAfterMs],
  }),
);
rmSync(place, { recursive: true, force: true });
