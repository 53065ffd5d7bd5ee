import { configDefaults, defineConfig } from 'vitest/config';
import { LongestFirst } from './tests/order.ts';

/** Tests that start a mesh or native code, each file in a process of its own; all others share theirs, which saves a second a file. */
const apart = ['tests/**', 'setup/**', 'gpu-worker/**'];
const exclude = [...configDefaults.exclude, '.switchyard/**', 'docs/examples/**'];

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: { name: 'apart', include: apart.map((room) => `${room}/*.test.ts`), exclude, isolate: true },
      },
      {
        extends: true,
        test: {
          name: 'together',
          include: ['**/*.test.ts'],
          exclude: [...exclude, ...apart],
          isolate: false,
        },
      },
    ],
    globalSetup: 'tests/global-setup.ts',
    pool: 'forks',
    // Many tests wait for a lease or a restart: on two cores a third has work to do meanwhile. With more they would only
    // wait for each other's processes.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // For what hangs: no test names a limit of its own, a slow machine with other things to do must not fail one.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 120_000 } },
    teardownTimeout: 10_000,
  },
});
