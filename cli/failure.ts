import { JetStreamApiError } from '@nats-io/jetstream';
import { CommanderError } from 'commander';
import { BrokerError } from '../bus/errors.ts';
import { RefusedError } from '../bus/launcher.ts';
import { ConfigurationError } from '../config/configuration-error.ts';
import { censorText } from '../schemas/secrets.ts';
import { exitCodes, type ExitCode } from './exit-codes.ts';

/** A command cannot do what it was asked for; the problems say why and `mend` what to do. */
export class CommandError extends Error {
  readonly problems: string[];
  readonly mend: string | undefined;
  readonly exitCode: ExitCode;
  constructor(problems: string | string[], mend?: string, exitCode: ExitCode = exitCodes.failure) {
    super([problems].flat().join('; '));
    this.name = 'CommandError';
    this.problems = [problems].flat();
    this.mend = mend;
    this.exitCode = exitCode;
  }
}

/** Why a command failed, as it is shown: all problems, what mends them, and the code to exit with. */
export interface Failure {
  problems: string[];
  mend?: string;
  exitCode: ExitCode;
}

/** Reads an error by its consequence. Nothing that looks like a secret is shown. */
export function failureOf(error: unknown): Failure {
  const failure = rawFailureOf(error);
  const { mend } = failure;
  return {
    ...failure,
    problems: failure.problems.map(censorText),
    ...(mend ? { mend: censorText(mend) } : {}),
  };
}

function rawFailureOf(error: unknown): Failure {
  if (error instanceof RefusedError) return { problems: [error.message], exitCode: exitCodes.usage };
  if (error instanceof CommandError) {
    return {
      problems: error.problems,
      ...(error.mend ? { mend: error.mend } : {}),
      exitCode: error.exitCode,
    };
  }
  if (error instanceof ConfigurationError) return { problems: error.problems, exitCode: exitCodes.usage };
  if (error instanceof BrokerError) {
    const cause = error.cause instanceof Error ? error.cause.message : '';
    const isRefused = /authorization|authentication/i.test(cause);
    return {
      problems: [error.message],
      mend: error.mend,
      exitCode: isRefused ? exitCodes.authentication : exitCodes.unreachable,
    };
  }
  // Help or the version was asked for and shown; every other error of Commander's becomes a CommandError.
  if (error instanceof CommanderError)
    return { problems: [], exitCode: error.exitCode === 0 ? exitCodes.done : exitCodes.usage };
  if (error instanceof JetStreamApiError && /stream not found/i.test(error.message)) {
    return {
      problems: ['the broker has no streams of this mesh'],
      mend: 'start the mesh once with `./switchyard up`, or give the right mesh.namespace',
      exitCode: exitCodes.unreachable,
    };
  }
  if (isOfBroker(error)) {
    const { message } = error as Error;
    return {
      problems: [`the broker did not answer: ${message}`],
      mend: './switchyard doctor',
      exitCode: exitCodes.unreachable,
    };
  }
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  const [, program] = /^spawn(?:Sync)? (\S+) ENOENT/.exec(error instanceof Error ? error.message : '') ?? [];
  if (program !== undefined)
    return {
      problems: [`there is no program ${program} on the PATH`],
      mend: './switchyard doctor says what is missing',
      exitCode: exitCodes.failure,
    };
  if (code === 'ENOSPC')
    return {
      problems: ['the disk is full'],
      mend: 'free some space, then run it again',
      exitCode: exitCodes.failure,
    };
  return { problems: [error instanceof Error ? error.message : String(error)], exitCode: exitCodes.failure };
}

function isOfBroker(error: unknown): boolean {
  return (
    error instanceof Error &&
    /^(NoResponders|Timeout|ClosedConnection|Connection|RequestError|DrainingConnection|PermissionViolation)/.test(
      error.name,
    )
  );
}
