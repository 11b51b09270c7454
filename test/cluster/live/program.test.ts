import { beforeAll, describe, expect, test } from 'vitest';
import { type DrivenCluster, MISSING, NEEDS } from './cluster.ts';
import { runInside } from './inside/run.ts';
import { shareCluster } from './share-cluster.ts';

describe.skipIf(MISSING.length > 0)(`programs on a cluster ${NEEDS}`, () => {
  let cluster: DrivenCluster;

  beforeAll(async () => {
    cluster = await shareCluster('rouse', 'helm');
  });

  test('a model is retrained by pods, one of which outlives control, and one is killed; nothing is left', async () => {
    expect(await runInside(cluster, 'program-child.ts', 'helm', 'dev.local/rouse:v1')).toEqual({
      outlived: { state: 'Succeeded', attempts: 1 },
      hasLearned: true,
      killed: { state: 'Succeeded', attempts: 2 },
      image: 'Failed: its program exited with status 1',
      left: [],
      forbidden: [],
    });
  });
});
