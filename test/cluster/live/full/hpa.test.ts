import { beforeAll, describe, expect, test } from 'vitest';
import { type DrivenCluster, MISSING, NEEDS } from '../cluster.ts';
import { runInside } from '../inside/run.ts';
import { shareCluster } from '../share-cluster.ts';

const IMAGE = 'dev.local/rouse:v1';
/** A HorizontalPodAutoscaler looks every 15 s. */
const LONGEST_MS = 600_000;

describe.skipIf(MISSING.length > 0)(`metrics for HorizontalPodAutoscalers ${NEEDS}`, () => {
  let cluster: DrivenCluster;

  beforeAll(async () => {
    cluster = await shareCluster('rouse', 'autoscaler-hpa');
  });

  test.each(['kustomize'])(
    'by %s: weights of signals are seen in that of a model of class hpa and in a plain one, and so is their change',
    async (how) => {
      expect(await runInside(cluster, 'hpa-child.ts', how, IMAGE)).toEqual({
        spec: 'rouse_wanted_instances 1 6',
        active: 'ValidMetricFound',
        found: true,
        stranger: 401,
        forbidden: [],
      });
    },
    LONGEST_MS,
  );
});
