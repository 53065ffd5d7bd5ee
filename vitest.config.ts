import { configDefaults, defineConfig } from 'vitest/config';
import { LongestFirst } from './tests/order.ts';

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: [...configDefaults.exclude, '.switchyard/**', 'docs/examples/**'],
    globalSetup: 'tests/global-setup.ts',
    pool: 'forks',
    // Most tests start real servers and processes of their own: more at a time would only wait for each other.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    // Generous, for a machine that has other things to do.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
  },
});
