import { defineConfig } from 'vitest/config';

/** A cluster is made for minutes of tests; these wait for much, and are asked with what is in `live/full`. */
const LONG = ['autoscaling', 'batch', 'install', 'models', 'program'];

/**
 * The tests that make a Kubernetes cluster: minutes each, and as root. `npm test` leaves them out. In mode `full` those
 * that take longer, too.
 */
export default defineConfig(({ mode }) => ({
  test: {
    include: [`test/cluster/live/${mode === 'full' ? '**/' : ''}*.test.ts`],
    exclude: mode === 'full' ? [] : LONG.map((name) => `test/cluster/live/${name}.test.ts`),
    globalSetup: ['test/cluster/live/setup.ts'],
    pool: 'forks',
    // One cluster at a time is enough for a small machine.
    maxWorkers: 1,
    // As long as all that one of them waits for may take, on a machine that has other things to do.
    testTimeout: 600_000,
    // The first time all programs are built.
    hookTimeout: 1_800_000,
  },
}));
