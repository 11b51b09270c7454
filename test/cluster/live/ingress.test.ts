import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestCluster, MISSING, NEEDS, type TestCluster } from './cluster.ts';
import { runInside } from './inside/run.ts';

const MINUTE_MS = 60_000;

/** Knative's suites for what an ingress and a runtime have to be; the rest are scenarios of `ingress-child.ts`. */
describe.skipIf(MISSING.length > 0)(`Rouse's ingress, with Rouse's activator ${NEEDS}`, () => {
  let cluster: TestCluster;

  const play = async (scenario: string): Promise<unknown> =>
    await runInside(cluster, 'ingress-child.ts', scenario);

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

  test('all gateways are replaced while requests come, and none is lost', async () => {
    expect(await play('replaced')).toEqual(['200']);
  });

  test('the gateway that writes status is deleted, and another one does', async () => {
    expect(await play('deleted')).toBe('200');
  });

  test('a Service of Knative wakes from zero by its address, which is unknown outside', async () => {
    expect(await play('service')).toEqual({ outside: '404', inside: '200' });
  });
});
