import type { Command } from 'commander';
import { forbidInState, readAllowed, type Allowed } from '../config/allowed.ts';
import { allowedFile, resolveStateDirectory } from '../config/state.ts';
import { span, type Span } from '../observability/span.ts';
import { exitCodes } from './exit-codes.ts';
import { CommandError } from './failure.ts';
import { verb } from './verb.ts';

export function registerConfigAllowed(config: Command): void {
  verb<{ remove?: string }>(
    config
      .command('allowed')
      .summary('list what you allowed by naming it, and take it back')
      .description(
        'Lists the repositories and commands that `fix` and `up --repo` were given, which allows them; what switchyard.yaml allows is in `config show`. With --remove one of them is taken back, at once for every process of the mesh.',
      )
      .option('--remove <what>', 'a repository or a command, as it is listed'),
    [
      ['config allowed', 'what is allowed'],
      ['config allowed --remove /srv/code/app', 'take a repository back'],
      ['config allowed --remove "npm run check"', 'take a command back'],
    ],
    async ({ options, environment, output }) => {
      const stateDirectory = resolveStateDirectory({ flag: options.state, environment });
      const before = readAllowed(stateDirectory);
      const after = options.remove === undefined ? before : takenBack(stateDirectory, before, options.remove);
      output.result({ file: allowedFile(stateDirectory), ...after }, [
        ...(options.remove === undefined
          ? []
          : [[span('no longer allowed: ', 'good'), span(options.remove)]]),
        ...linesOf(after),
      ]);
      return exitCodes.done;
    },
  );
}

function takenBack(stateDirectory: string, before: Allowed, what: string): Allowed {
  const path = what.length > 1 ? what.replace(/\/+$/, '') : what;
  const less: Allowed = {
    repositories: before.repositories.filter((one) => one === path),
    tests: before.tests.filter((one) => one === what),
    setups: before.setups.filter((one) => one === what),
  };
  if (Object.values(less).every((list) => list.length === 0))
    throw new CommandError(
      `${what} was not allowed by naming it`,
      './switchyard config allowed lists what was; what switchyard.yaml allows is taken back there',
    );
  return forbidInState(stateDirectory, less);
}

function linesOf(allowed: Allowed): Span[][] {
  const names = { repositories: 'repositories', tests: 'test commands', setups: 'setup commands' } as const;
  const lines = (Object.keys(names) as (keyof Allowed)[]).flatMap((kind) =>
    allowed[kind].length === 0
      ? []
      : [[span(names[kind], 'dim')], ...allowed[kind].map((one) => [span(`  ${one}`)])],
  );
  return lines.length > 0 ? lines : [[span('nothing is allowed but what switchyard.yaml allows', 'dim')]];
}
