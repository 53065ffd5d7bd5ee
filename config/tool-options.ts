import Type, { type Static } from 'typebox';
import { toolNames } from '../schemas/tool-names.ts';

const narrowed = Type.Optional(
  Type.Object(
    {
      tools: Type.Array(Type.Enum([...toolNames], { description: 'Name of a tool' }), {
        description: 'All the tools that the role may call',
      }),
    },
    { additionalProperties: false, description: 'The tools of the role' },
  ),
);

export const ToolOptions = Type.Object(
  {
    withoutSandbox: Type.Enum(['refuse', 'run'], {
      default: 'refuse',
      description:
        'What to do with a program where no sandbox can be had: `refuse` it, or `run` it with all that your user may do. Every result says at which level it ran',
    }),
    timeoutMs: Type.Integer({
      default: 120_000,
      minimum: 1000,
      maximum: 3_600_000,
      description: 'How long a program or the tests may run',
    }),
    outputBytes: Type.Integer({
      default: 30_000,
      minimum: 1000,
      maximum: 1_000_000,
      description: 'How much of an output a model reads; where it was cut it says so',
    }),
    protect: Type.Array(Type.String({ minLength: 1, description: 'A glob' }), {
      default: [
        '**/*.test.*',
        '**/*.spec.*',
        '**/test/**',
        '**/tests/**',
        '**/__tests__/**',
        '**/test_*.py',
        '**/*_test.py',
        '**/*_test.go',
      ],
      description: 'Files that only the tester may change: they are put back before tests are judged',
    }),
    perRole: Type.Optional(
      Type.Object(
        { planner: narrowed, coder: narrowed, tester: narrowed, reviewer: narrowed },
        {
          additionalProperties: false,
          description: "Narrows a role's tools to these; left out: the role's own list",
        },
      ),
    ),
  },
  { additionalProperties: false, default: {}, description: 'What the tools of agents may do' },
);
export type ToolOptions = Static<typeof ToolOptions>;
