import { censorText } from '../schemas/secrets.ts';

/** The configuration is wrong: a person has to mend it. The CLI ends with exit code 2. */
export class ConfigurationError extends Error {
  /** Everything that is wrong, a sentence each: `file:line:column option: what; accepted: ...; did you mean ...?` */
  readonly problems: string[];
  readonly exitCode = 2;
  constructor(problems: string[]) {
    // A parser's message may show the text that it stumbled over.
    const shown = problems.map(censorText);
    super(shown.join('\n'));
    this.name = 'ConfigurationError';
    this.problems = shown;
  }
}
