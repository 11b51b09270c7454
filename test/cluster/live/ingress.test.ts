import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestCluster, MISSING, NEEDS, type TestCluster } from './cluster.ts';

const MINUTE_MS = 60_000;

/** Knative's suites for what an ingress and a runtime have to be. */
describe.skipIf(MISSING.length > 0)(`Rouse's ingress, with Rouse's activator ${NEEDS}`, () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = createTestCluster();
    await cluster.must('up', 'rouse-ingress', 'rouse-activator');
  });
  afterAll(async () => {
    await cluster?.close();
  });

  test.each([
    ['conformance-ingress', 25],
    ['conformance-runtime', 22],
  ])(
    '%s passes, and none of its tests is missing or left out by us',
    async (suite, tests) => {
      const { stdout } = await cluster.run(['suite', suite]);
      expect(stdout).toContain(`${tests} passed, 0 skipped, 0 failed, 0 missing`);
    },
    15 * MINUTE_MS,
  );
});
