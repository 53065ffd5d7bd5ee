/** Why a command ended, as its exit code says it. docs/cli.md shows this table. */
export const exitCodes = {
  done: 0,
  failure: 1,
  usage: 2,
  cancelled: 3,
  authentication: 4,
  unsuccessful: 5,
  unreachable: 6,
  paused: 7,
  interrupted: 130,
} as const;

export type ExitName = keyof typeof exitCodes;
export type ExitCode = (typeof exitCodes)[ExitName];

/** The one table: what each code means to whoever called. `--json` never changes it. */
export const exitMeanings: Record<ExitName, string> = {
  done: 'done; of a task: it completed',
  failure: 'something failed, or what was asked for does not apply; the message says what to do',
  usage: 'wrong usage: an unknown command or option, a value that does not fit, a broken `switchyard.yaml`',
  cancelled: 'the task was cancelled, or the wait for it timed out',
  authentication: 'the broker refused the credentials, or there are none in this state folder',
  unsuccessful: 'the task ended without success: failed or rejected',
  unreachable: 'no broker can be reached, or it cannot be used (too old, no JetStream, no streams)',
  paused: 'the task is paused and a person is needed; the message holds the command that resumes it',
  interrupted: 'ended by Ctrl-C; a task that was followed goes on',
};
