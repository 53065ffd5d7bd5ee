import { runProgram } from './program.ts';

/** The oldest nats-server that Switchyard works with. */
export const OLDEST_SERVER = '2.10.0';

/** The nats-server that is fetched where none is found: the one this release was measured with. */
export const PINNED_SERVER = '2.15.1';

/**
 * The version a nats-server binary reports, such as `2.15.1` or `2.12.0-RC.1`.
 * Throws an Error when the file cannot be run or does not answer like a nats-server.
 */
export async function readServerVersion(binary: string): Promise<string> {
  const answer = await runProgram(binary, ['--version'], { timeoutMs: 5_000 });
  const version = /nats-server:?\s+v?(\d+\.\d+\.\d+\S*)/.exec(answer)?.[1];
  if (!version) throw new Error(`${binary} --version answered ${JSON.stringify(answer.slice(0, 80))}`);
  return version;
}

/** Whether `version` is `minimum` or newer; a pre-release counts as older than its release. */
export function isAtLeast(version: string, minimum: string): boolean {
  return compareVersions(version, minimum) >= 0;
}

/** Negative where `left` is the older, positive where it is the newer, 0 where they are equal. */
export function compareVersions(left: string, right: string): number {
  const [leftNumbers, leftIsPreRelease] = parse(left);
  const [rightNumbers, rightIsPreRelease] = parse(right);
  for (let position = 0; position < 3; position++) {
    const difference = (leftNumbers[position] ?? 0) - (rightNumbers[position] ?? 0);
    if (difference !== 0) return difference;
  }
  return Number(rightIsPreRelease) - Number(leftIsPreRelease);
}

function parse(version: string): [number[], boolean] {
  const [numbers = '', ...preRelease] = version.split('-');
  return [numbers.split('.').map(Number), preRelease.length > 0];
}
