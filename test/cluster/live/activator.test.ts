import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DrivenCluster, MISSING, NEEDS } from './cluster.ts';
import { runInside } from './inside/run.ts';
import { shareCluster } from './share-cluster.ts';

/**
 * Rouse in the place of Knative's activator, whose Deployment, ServiceAccount and rights stay as they are. Each test
 * is a scenario of `activator-child.ts`.
 */
describe.skipIf(MISSING.length > 0)(`in the place of Knative's activator ${NEEDS}`, () => {
  let cluster: DrivenCluster;

  const play = async (scenario: string): Promise<unknown> =>
    await runInside(cluster, 'activator-child.ts', scenario);

  beforeAll(async () => {
    cluster = await shareCluster('rouse-activator', 'autoscale', 'grpc-ping', 'wsserver');
  });
  afterAll(async () => {
    if (cluster) await play('restore');
  });

  test('a hundred at once for what takes one at a time: from zero, scaled, all answered, back to zero', async () => {
    expect(await play('burst')).toEqual({
      counts: { 200: 100 },
      cold: 'true',
      scaled: true,
      again: { status: 200, cold: 'true' },
    });
  });

  test('gRPC from zero', async () => {
    expect(await play('grpc')).toEqual({ said: true });
  });

  test('a WebSocket from zero', async () => {
    expect(await play('webSocket')).toEqual({ said: 'hello' });
  });

  test('the autoscaler may be lost: what is awake does not notice, what sleeps wakes', async () => {
    expect(await play('autoscaler')).toEqual({ counts: ['200'], woken: 200 });
  });

  test('one of two ends in the middle of requests, and none is lost', async () => {
    expect(await play('ending')).toEqual({ long: { 200: 20 }, short: ['200'] });
  });
});
