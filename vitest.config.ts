import { configDefaults, defineConfig } from 'vitest/config';
import { LongestFirst } from './tests/order.ts';

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: [...configDefaults.exclude, '.switchyard/**', 'docs/examples/**'],
    globalSetup: 'tests/global-setup.ts',
    pool: 'forks',
    // Many tests wait for a lease or a restart: on two cores a third has work to do meanwhile. With more they would only
    // wait for each other's processes.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // Generous, for a machine that has other things to do.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
  },
});
