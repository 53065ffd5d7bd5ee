import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: [...configDefaults.exclude, '.switchyard/**', 'docs/examples/**'],
    globalSetup: 'tests/global-setup.ts',
    pool: 'forks',
    // Most tests start real servers and processes of their own: more at a time would only wait for each other.
    maxWorkers: 2,
    testTimeout: 15_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
  },
});
