import { exitCodes } from './exit-codes.ts';
import { failureOf } from './failure.ts';
import { openOutput } from './output.ts';
import { openProgram } from './program.ts';

/** The command `switchyard`. */
const isJson = process.argv.includes('--json');
// Whoever reads may stop reading, as `head` does.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? (process.exitCode ?? exitCodes.done) : exitCodes.failure),
);
try {
  await openProgram().parseAsync(process.argv);
} catch (error) {
  const failure = failureOf(error);
  openOutput(isJson, { out: process.stdout, error: process.stderr, environment: process.env }).failure(
    failure,
  );
  process.exitCode = failure.exitCode;
}
// What is still open, such as a connection that tries to come back, must not keep the command alive.
process.exit();
