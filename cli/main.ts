import { exitCodes } from './exit-codes.ts';
import { failureOf } from './failure.ts';
import { openOutput } from './output.ts';
import { openProgram } from './program.ts';
import type { GlobalOptions } from './verb.ts';

/** The command `switchyard`. */
const isJson = process.argv.includes('--json');
// Whoever reads may stop reading, as `head` does.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? (process.exitCode ?? exitCodes.done) : exitCodes.failure),
);
process.stderr.on('error', () => {});
const program = openProgram();
try {
  await program.parseAsync(process.argv);
} catch (error) {
  const failure = failureOf(error);
  openOutput(isJson, {
    out: process.stdout,
    error: process.stderr,
    environment: process.env,
    stateDirectory: program.opts<GlobalOptions>().state,
  }).failure(failure);
  process.exitCode = failure.exitCode;
}
// A pipe that is read slowly holds only so much: what is left is written before the end.
await Promise.all(
  [process.stdout, process.stderr].map(
    (stream) => new Promise<void>((resolve) => void stream.write('', () => resolve())),
  ),
);
// What is still open, such as a connection that tries to come back, must not keep the command alive.
process.exit();
