import { environmentVariables } from './environment.ts';
import { nearest } from './problems.ts';
import type { Environment } from './state.ts';

/** What stands in a variable that takes certain values alone, and is none of them: it would be passed over in silence. */
export function environmentProblems(environment: Environment): string[] {
  return environmentVariables.flatMap(({ name, accepts, isList }) => {
    const value = environment[name];
    if (!accepts || !value) return [];
    const found = isList ? value.split(',').map((one) => one.trim()) : [value];
    return found
      .filter((one) => !accepts.includes(one))
      .map(
        (one) =>
          `${name}: found the text ${JSON.stringify(one)}; accepted: ${accepts.join(', ')}${nearest(one, [...accepts])}`,
      );
  });
}
