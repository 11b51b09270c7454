import { beforeAll, describe, expect, test } from 'vitest';
import { type DrivenCluster, MISSING, NEEDS } from './cluster.ts';
import { runInside } from './inside/run.ts';
import { shareCluster } from './share-cluster.ts';

describe.skipIf(MISSING.length > 0)(`batch jobs on a cluster ${NEEDS}`, () => {
  let cluster: DrivenCluster;

  beforeAll(async () => {
    cluster = await shareCluster('rouse', 'helm');
  });

  test.each(['kustomize', 'helm'])(
    'installed by %s: four shards, one pod killed, the output of one process; nothing is left',
    async (how) => {
      expect(await runInside(cluster, 'batch-child.ts', how, 'dev.local/rouse:v1')).toEqual({
        calm: 'Succeeded',
        shards: 4,
        killed: true,
        sharded: 'Succeeded',
        rows: 20_000,
        isSame: true,
        left: [],
        forbidden: [],
      });
    },
  );
});
