import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: [...configDefaults.exclude, '.switchyard/**', 'docs/examples/**'],
    globalSetup: 'tests/global-setup.ts',
    pool: 'forks',
    // Most tests start real servers and processes of their own: more at a time would only wait for each other.
    maxWorkers: 2,
    // Generous, for a machine that has other things to do.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
  },
});
