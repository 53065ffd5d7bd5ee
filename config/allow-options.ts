import Type, { type Static } from 'typebox';

const command = (description: string) => Type.String({ minLength: 1, description });

export const AllowOptions = Type.Object(
  {
    repositories: Type.Array(
      Type.String({ minLength: 1, isPath: true, description: 'A folder; what lies below it is allowed too' }),
      {
        default: [],
        description:
          'Folders whose repositories tasks may work on; `up --repo` and `fix` add the one they are given',
      },
    ),
    tests: Type.Array(command('A command, word for word'), {
      default: [
        'npm test',
        'npm run test',
        'node --test',
        'npx vitest run',
        'npx jest',
        'pnpm test',
        'yarn test',
        'pytest',
        'python -m pytest',
        'python3 -m pytest',
        'cargo test',
        'go test ./...',
      ],
      description: 'Test commands that a task may name, word for word; `--test` adds the one it is given',
    }),
    setups: Type.Array(command('A command, word for word'), {
      default: [],
      description:
        'Commands that make a fresh worktree ready, such as `npm ci`. They run with network, so none is allowed by default',
    }),
    programs: Type.Array(
      Type.Array(Type.String({ minLength: 1, description: 'The program, then its arguments' }), {
        minItems: 1,
      }),
      {
        default: [
          ['node', '--test', '**'],
          ['npm', 'test'],
          ['npm', 'run', 'test'],
          ['npm', 'run', 'lint'],
          ['npm', 'run', 'typecheck'],
          ['npx', 'tsc', '--noEmit'],
          ['npx', 'vitest', 'run', '**'],
          ['pytest', '**'],
          ['python3', '-m', 'pytest', '**'],
          ['cargo', 'test', '**'],
          ['cargo', 'check'],
          ['go', 'test', '**'],
          ['go', 'vet', './...'],
        ],
        description:
          'Programs that an agent may start in the sandbox: the program and its arguments, `*` for any one argument, `**` for any rest. No shell',
      },
    ),
  },
  {
    additionalProperties: false,
    default: {},
    description: 'What only the operator may allow; a message can never widen it',
  },
);
export type AllowOptions = Static<typeof AllowOptions>;
