import type { Command } from 'commander';
import { openOutput, type Output } from './output.ts';

/** What every verb understands. */
export interface GlobalOptions {
  state?: string;
  config?: string;
  json?: boolean;
}

/** What a verb is called with. */
export interface Call<Options> {
  options: Options & GlobalOptions;
  environment: Record<string, string | undefined>;
  output: Output;
}

/** A command line and what it does. */
export type Example = readonly [line: string, meaning: string];

/** Puts examples below the help of a verb. */
export function withExamples(command: Command, examples: readonly Example[]): Command {
  const width = Math.max(...examples.map(([line]) => line.length));
  const lines = examples.map(([line, meaning]) => `  ./switchyard ${line.padEnd(width)}   ${meaning}`);
  return command.addHelpText('after', ['', 'Examples:', ...lines].join('\n'));
}

/** Gives a verb its examples and its work; what the work resolves with is the exit code. */
export function verb<Options>(
  command: Command,
  examples: readonly Example[],
  work: (call: Call<Options>, ...given: string[]) => Promise<number>,
): Command {
  withExamples(command, examples);
  return command.action(async (...received: unknown[]) => {
    // Commander hands over the arguments, then the options, then the command.
    const given = received.slice(0, -2).flat() as string[];
    const options = command.optsWithGlobals<Options & GlobalOptions>();
    const output = openOutput(options.json === true, {
      out: process.stdout,
      error: process.stderr,
      environment: process.env,
      stateDirectory: options.state,
    });
    process.exitCode = await work({ options, environment: process.env, output }, ...given);
  });
}
