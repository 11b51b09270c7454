import { beforeAll, expect, test } from 'vitest';
import { describeScenarios } from './scenarios.ts';

/** What callers and users see while parts of a cluster fail, and that all goes on without help. */
describeScenarios('faults of a cluster', { program: 'faults-child.ts' }, ({ play }) => {
  let seen: Readonly<Record<string, unknown>>;
  const matching = (pattern: RegExp): unknown => expect.stringMatching(pattern);

  beforeAll(async () => {
    seen = Object(await play('short'));
  });

  test('the autoscaler is killed: what is warm goes on, who is held is served', () => {
    expect(seen['autoscalerKilled']).toEqual({ warm: [200], held: 200, again: 200 });
  });

  test('control is killed beside its workers: what is warm goes on, who is held is served', () => {
    expect(seen['controlKilled']).toEqual({ warm: [200], held: 200, isAnother: true });
  });

  test('etcd does not answer for seconds: what is warm goes on, who is held is served', () => {
    expect(seen['etcdSlow']).toEqual({ warm: [200], told: 504, held: 200 });
  });

  test('a node without room: the caller is told what is waited for, and served when there is some', () => {
    const why = /waits for room: 0\/1 nodes are available: 1 Insufficient memory/;
    expect(seen['nodeFull']).toEqual({
      told: matching(why),
      held: 200,
      events: [matching(why)],
    });
  });

  test('a webhook denies: its name and its words are told, and it goes on when it does not any more', () => {
    expect(seen['webhookDenies']).toEqual({
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
