import { beforeAll, describe, expect, test } from 'vitest';
import { type DrivenCluster, MISSING, NEEDS } from './cluster.ts';
import { runInside } from './inside/run.ts';
import { shareCluster } from './share-cluster.ts';

/** Models go to sleep and wake several times in each, and a busy machine is slow with all of it. */
const TIMEOUT_MS = 600_000;

/**
 * What callers and users see while parts of a cluster fail, and that all goes on without help: each test is a
 * scenario of `faults-child.ts`.
 */
describe.skipIf(MISSING.length > 0)(`faults of a cluster ${NEEDS}`, { timeout: TIMEOUT_MS }, () => {
  let cluster: DrivenCluster;

  const play = async (scenario: string): Promise<unknown> =>
    await runInside(cluster, 'faults-child.ts', scenario);
  const matching = (pattern: RegExp): unknown => expect.stringMatching(pattern);

  beforeAll(async () => {
    cluster = await shareCluster();
  });

  test('the autoscaler is killed: what is warm goes on, who is held is served', async () => {
    expect(await play('autoscalerKilled')).toEqual({ warm: [200], held: 200, again: 200 });
  });

  test('control is killed beside its workers: what is warm goes on, who is held is served', async () => {
    const seen = { warm: [200], held: 200, isAnother: true };
    expect(await play('controlKilled')).toEqual(seen);
  });

  test('etcd does not answer for seconds: what is warm goes on, who is held is served', async () => {
    expect(await play('etcdSlow')).toEqual({ warm: [200], told: 504, held: 200 });
  });

  test('a node without room: the caller is told what is waited for, and served when there is some', async () => {
    const why = /waits for room: 0\/1 nodes are available: 1 Insufficient memory/;
    expect(await play('nodeFull')).toEqual({
      told: matching(why),
      held: 200,
      events: [matching(why)],
    });
  });

  test('a webhook denies: its name and its words are told, and it goes on when it does not any more', async () => {
    expect(await play('webhookDenies')).toEqual({
      told: matching(
        /Its last start failed: revisions\.serving\.knative\.dev cold-v1-\w+ in namespace default: refused by webhook denial\.rouse\.test: nothing wakes on a Friday/,
      ),
      held: 200,
      refused: matching(
        /services\.serving\.knative\.dev late in namespace default: refused by webhook denial\.rouse\.test: nothing is made on a Friday/,
      ),
      made: 0,
    });
  });

  test('rights that are missing: verb, resource and namespace are named, and what was allowed goes on', async () => {
    const who = 'User "system:serviceaccount:default:stranger" cannot';
    const where = (group: string): string => `in API group "${group}"`;
    expect(await play('rightsMissing')).toEqual({
      start: expect.stringContaining(
        `${who} get resource "customresourcedefinitions" ${where('apiextensions.k8s.io')} at the cluster scope`,
      ),
      refused: expect.stringContaining(
        `${who} patch resource "services" ${where('serving.knative.dev')} in the namespace "default"`,
      ),
      told: expect.stringContaining(
        `${who} patch resource "revisions" ${where('serving.knative.dev')} in the namespace "default"`,
      ),
      held: 200,
    });
  });
});
