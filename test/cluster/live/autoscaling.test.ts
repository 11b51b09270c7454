import { beforeAll, describe, expect, test } from 'vitest';
import { type DrivenCluster, MISSING, NEEDS } from './cluster.ts';
import { runInside } from './inside/run.ts';
import { shareCluster } from './share-cluster.ts';

/** As long as all that a scenario waits for may take. */
const TIMEOUT_MS = 600_000;

/** What steers Knative's autoscaler, asked of the real one: each test is a scenario of `autoscaling-child.ts`. */
describe.skipIf(MISSING.length > 0)(
  `Knative's autoscaler ${NEEDS}`,
  { timeout: TIMEOUT_MS },
  () => {
    let cluster: DrivenCluster;

    const play = async (scenario: string): Promise<unknown> =>
      await runInside(cluster, 'autoscaling-child.ts', scenario);

    beforeAll(async () => {
      cluster = await shareCluster();
    });

    test('follows all that Rouse steers, and no pod is started anew; another annotation starts all', async () => {
      expect(await play('steer')).toEqual({ kept: true, kinds: 1 });
    });

    test('lets go of more than the most that there may be', async () => {
      expect(await play('lower')).toBe('1');
    });

    test('wakes what sleeps also when it was started anew meanwhile', async () => {
      expect(await play('wake')).toBe('woken');
    });

    test('reverts what others write to a PodAutoscaler; what is taken away from a Revision is its default again', async () => {
      expect(await play('revert')).toBe('reverted');
    });

    test('goes to zero, of whatever class and however patient it is by default', async () => {
      expect(await play('defaults')).toEqual({ began: true, class: 'kpa.autoscaling.knative.dev' });
    });
  },
);
