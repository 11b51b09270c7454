import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // They make a Kubernetes cluster: `npm run test:cluster`.
    exclude: [...configDefaults.exclude, 'test/cluster/live/**'],
    pool: 'forks',
    setupFiles: ['test/guard-kill.ts'],
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A little less than a test has, as in `test/until.ts`. By itself it is a second, which a busy machine does not keep.
    expect: { poll: { timeout: 55_000 } },
    // `npm run coverage`: of the decisions, by their own tests.
    coverage: { include: ['policies/**/*.ts'], reporter: ['text'], thresholds: { branches: 95 } },
  },
});
