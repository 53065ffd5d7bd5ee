import Type, { type Static } from 'typebox';
import { Limits, defaultLimits } from '../schemas/bounds.ts';
import { AllowOptions } from './allow-options.ts';
import { propertyEach, withDefaults } from './annotate.ts';
import { MeshOptions } from './mesh-options.ts';
import { Models, RolePreferences, Routes } from './model-options.ts';
import { ToolOptions } from './tool-options.ts';

/** Closed objects: an option that nobody knows is an error with the nearest spelling, never ignored. */
const closed = { additionalProperties: false, default: {} } as const;

const Processes = Type.Object(
  propertyEach(
    { manager: 1, router: 1, planner: 1, coder: 2, tester: 1, reviewer: 1, inference: 1 },
    Type.Integer({ minimum: 0, maximum: 64 }),
    (role) => `Processes of the role ${role}`,
  ),
  {
    ...closed,
    description: 'How many processes of each role `up` starts; more can join with `switchyard start ROLE`',
  },
);

const Slots = Type.Object(
  propertyEach(
    { manager: 16, router: 16, planner: 4, coder: 4, tester: 2, reviewer: 4, inference: 8 },
    Type.Integer({ minimum: 1, maximum: 1000 }),
    (role) => `Messages that one process of the role ${role} handles at a time`,
  ),
  {
    ...closed,
    description:
      'How many messages one process of a role handles at a time (a run that waits for a model holds none)',
  },
);

const modes = ['local-only', 'local+api'] as const;

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

/** The shape of `switchyard.yaml`. Every option has a description; those that may be left out, a default. */
export const Config = Type.Object(
  {
    mesh: MeshOptions,
    processes: Processes,
    slots: Slots,
    allow: AllowOptions,
    limits: Type.Object(withDefaults(Limits.properties, defaultLimits), {
      ...closed,
      description:
        'How far a task may go. A task may ask for less, never for more; reaching one pauses it with the reason, or fails it where it is unattended',
    }),
    mode: Type.Enum([...modes], {
      default: 'local+api',
      description:
        'Which models may be asked: `local-only` those on this machine, so that nothing of your work leaves it; `local+api` all',
    }),
    models: Models,
    roles: RolePreferences,
    routes: Routes,
    tools: ToolOptions,
    log: Type.Object(
      {
        level: Type.Enum([...logLevels], {
          default: 'info',
          description: 'The least severe lines that are logged',
        }),
      },
      { ...closed, description: 'Logging; JSON lines on standard error, secrets censored' },
    ),
  },
  { additionalProperties: false, description: 'switchyard.yaml' },
);
export type Config = Static<typeof Config>;
