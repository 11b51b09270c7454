import { beforeAll, describe, expect, test } from 'vitest';
import { type DrivenCluster, MISSING, NEEDS } from '../cluster.ts';
import { runInside } from '../inside/run.ts';
import { shareCluster } from '../share-cluster.ts';

/** Models go to sleep and wake several times in each, and a busy machine is slow with all of it. */
const TIMEOUT_MS = 600_000;

/**
 * What callers and users see while parts of a cluster fail, and that all goes on without help: each test is a
 * scenario of `faults-child.ts`.
 */
describe.skipIf(MISSING.length > 0)(
  `long faults of a cluster ${NEEDS}`,
  { timeout: TIMEOUT_MS },
  () => {
    let cluster: DrivenCluster;

    const play = async (scenario: string): Promise<unknown> =>
      await runInside(cluster, 'faults-child.ts', scenario);
    const matching = (pattern: RegExp): unknown => expect.stringMatching(pattern);

    beforeAll(async () => {
      cluster = await shareCluster();
    });

    test('a definition of Knative is missing: that is told, and all is made anew when it is back', async () => {
      expect(await play('definitionMissing')).toEqual({
        told: matching(
          /waits for the cluster: the cluster has no services\.serving\.knative\.dev: expected Knative Serving, installed and ready$/,
        ),
        held: 200,
        warm: 200,
      });
    });

    test('the API server is away for a minute: what is warm goes on, who is held is told or served', async () => {
      const why =
        /waits for the cluster: the API server of the cluster does not answer: connect ECONN/;
      expect(await play('apiServerAway')).toEqual({
        warm: [200],
        told: matching(why),
        held: 200,
        made: 0,
        asked: 200,
        events: expect.arrayContaining([matching(why)]),
        missed: true,
      });
    });
  },
);
