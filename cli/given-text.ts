import { InvalidArgumentError } from 'commander';
import { longestGoal } from '../schemas/request.ts';

/** A text that says something: a variable of a script that is not set leaves an empty one. */
export function readText(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('It is empty.');
  return text;
}

/** One line that says something, as what names a request. */
export function readLine(text: string): string {
  if (/\p{Cc}/u.test(text))
    throw new InvalidArgumentError('It holds a line break or another control character.');
  return readText(text);
}

/** What is wanted, in words. */
export function readGoal(text: string): string {
  if (text.length > longestGoal)
    throw new InvalidArgumentError(
      `It has ${text.length} characters; at most ${longestGoal} are taken. Put the rest into a file of the repository.`,
    );
  return readText(text);
}
