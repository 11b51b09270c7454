import { afterAll, expect, test } from 'vitest';
import { SUITES } from '#test/cluster/suites/suites.ts';
import { describeScenarios } from './scenarios.ts';

const STAGE = { program: 'ingress-child.ts', additions: ['rouse-ingress'] };

/** As long as the suite may take, and some more. */
const SUITE_MS = ((SUITES['conformance-ingress']?.minutes ?? 0) + 3) * 60_000;

describeScenarios("Rouse's ingress", STAGE, ({ play, cluster }) => {
  afterAll(async () => {
    await play('remove');
  });

  test(
    "Knative's suite for what an ingress has to be passes, and none of its tests is missing or left out by us",
    async () => {
      const { stdout } = await cluster().run(['suite', 'conformance-ingress']);
      expect(stdout).toContain('25 passed, 0 skipped, 0 failed, 0 missing');
    },
    SUITE_MS,
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
