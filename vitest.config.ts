import { configDefaults, defineConfig } from 'vitest/config';
import { LongestFirst } from './tests/order.ts';

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: [...configDefaults.exclude, '.switchyard/**', 'docs/examples/**'],
    globalSetup: 'tests/global-setup.ts',
    pool: 'forks',
    // Node runs the sources as they are: what vite makes of them takes twice as long where much is computed.
    experimental: { viteModuleRunner: false, nodeLoader: false },
    // Files share three processes: one for each would take a second a file.
    isolate: false,
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
