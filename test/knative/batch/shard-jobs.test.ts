import { afterEach, beforeEach, expect, test } from 'vitest';
import { createConnection } from '#knative/api/client.ts';
import { createKube } from '#knative/api/kube.ts';
import type { Job, Pod } from '#knative/api/objects.ts';
import { JOBS, PODS } from '#knative/api/resources.ts';
import { createShardJobs, type Following, type ShardJobs } from '#knative/batch/shard-jobs.ts';
import { shardsJobName } from '#knative/manifests/names.ts';
import { systemClock } from '#lib/clock.ts';
import { createFakeClock, type FakeClock } from '#test/fake-clock.ts';
import { until } from '#test/until.ts';
import { type ApiServer, makeStatus, startApiServer } from '../api-server.ts';
import { manifestsOf } from '../install/files.ts';
import { deedsOf, grantsOf, nameOf, rulesOf } from '../install/rights.ts';
import type { Stored } from '../object-store.ts';

const SYSTEM = 'rouse-system';
const JOB = { namespace: 'shop', id: 'digits-1', count: 4, folder: '/batch/.rouse/shop/digits-1' };
const NAME = shardsJobName(JOB.namespace, JOB.id);

let server: ApiServer;
let clock: FakeClock;
let jobs: ShardJobs;
let closeConnection: () => void;
const followings: Following[] = [];
let ends: string[];
let warnings: number;

beforeEach(async () => {
  server = await startApiServer();
  clock = createFakeClock();
  const connection = await createConnection(server.kubeconfig);
  closeConnection = () => connection.close();
  const kube = createKube(connection, systemClock);
  const claim = { namespace: SYSTEM, name: 'rouse-batch' };
  const outfit = {
    image: 'rouse:1',
    command: ['node', 'shard.ts'],
    env: {},
    claim,
    folder: '/batch',
  };
  jobs = createShardJobs({ kube, outfit, clock, log: { warn: () => warnings++ } });
  ends = [];
  warnings = 0;
});

afterEach(async () => {
  await Promise.all(followings.splice(0).map((each) => each.close()));
  closeConnection();
  await server.close();
});

function follow(): Following {
  const following = jobs.follow(JOB, (why) => ends.push(why));
  followings.push(following);
  return following;
}

const stored = (): Stored | undefined => server.store.get(JOBS, SYSTEM, NAME);

/** Looks go on with time. */
async function untilPassing(what: string, holds: () => boolean): Promise<void> {
  await until(what, () => {
    clock.advance(500);
    return holds();
  });
}

function say(type: 'Complete' | 'Failed', message = ''): void {
  const conditions = [{ type, status: 'True', message }];
  server.store.put(JOBS, { ...stored(), status: { conditions } } as Stored);
}

test('it is made once, looked at, and made again when somebody has deleted it', async () => {
  follow();
  await until('it is there', () => stored() !== undefined);
  const { uid } = stored()?.metadata ?? {};
  expect(stored()?.spec).toMatchObject({ completions: 4 });
  const looks = (): number => server.requests.filter(({ method }) => method === 'GET').length;
  await untilPassing('it is looked at again', () => looks() > 3);
  expect(stored()?.metadata.uid).toBe(uid);
  server.store.delete(JOBS, SYSTEM, NAME);
  await untilPassing('there is another one', () => stored() !== undefined);
  expect(stored()?.metadata.uid).not.toBe(uid);
  expect(ends).toEqual([]);
});

test('one that runs since a former life goes on', async () => {
  const first = follow();
  await until('it is there', () => stored() !== undefined);
  await first.close();
  const { uid } = stored()?.metadata ?? {};
  follow();
  const before = server.requests.length;
  await untilPassing('it is looked at', () => server.requests.length > before + 2);
  expect(stored()?.metadata.uid).toBe(uid);
});

test.each(['Complete', 'Failed'] as const)(
  'one that was %s in a former life gives way to another one',
  async (how) => {
    const first = follow();
    await until('it is there', () => stored() !== undefined);
    await first.close();
    const { uid } = stored()?.metadata ?? {};
    say(how);
    follow();
    await untilPassing('there is another one', () => {
      const now = stored()?.metadata.uid;
      return now !== undefined && now !== uid;
    });
    expect(ends).toEqual([]);
  },
);

test('one that fails is told of once, with the last words of a pod', async () => {
  const running = follow();
  await until('it is there', () => stored() !== undefined);
  const seen = server.requests.length;
  await untilPassing('it was seen to run', () => server.requests.length > seen + 1);
  const terminated = { exitCode: 1, finishedAt: '2026-01-01T00:00:00Z', message: 'no space left' };
  const labels = { 'batch.kubernetes.io/job-name': NAME };
  const pod: Pod = {
    metadata: { namespace: SYSTEM, name: `${NAME}-2`, labels },
    status: { containerStatuses: [{ name: 'shard', state: { terminated } }] },
  };
  server.store.put(PODS, pod);
  say('Failed', 'index 2 failed too often');
  await untilPassing('it is told of', () => ends.length > 0);
  const before = server.requests.length;
  clock.advance(10_000);
  await running.close();
  expect(server.requests.length).toBe(before);
  expect(ends).toEqual([
    `the Job of its shards: index 2 failed too often; pod ${NAME}-2 ended with 1: no space left`,
  ]);
});

test('pods that wait for room are told of, until they have some', async () => {
  const running = follow();
  await until('it is there', () => stored() !== undefined);
  const message = '0/1 nodes are available: 1 Insufficient memory.';
  const put = (index: number, conditions: NonNullable<Pod['status']>['conditions']): void => {
    const labels = { 'batch.kubernetes.io/job-name': NAME };
    const metadata = { namespace: SYSTEM, name: `${NAME}-${index}`, labels };
    const pod: Pod = { metadata, status: { conditions: conditions ?? [] } };
    server.store.put(PODS, pod);
  };
  const [type, reason] = ['PodScheduled', 'Unschedulable'];
  put(0, [{ type, status: 'True' }]);
  for (const index of [1, 2]) put(index, [{ type, status: 'False', reason, message }]);
  await untilPassing('it is told', () => running.waitsFor() !== undefined);
  expect(running.waitsFor()).toBe(`2 of 4 shards: waits for room: ${message}`);
  for (const index of [1, 2]) put(index, [{ type, status: 'True' }]);
  await untilPassing('they have room', () => running.waitsFor() === undefined);
});

test('one that is complete, and whose results do not come, is told of', async () => {
  follow();
  await until('it is there', () => stored() !== undefined);
  const seen = server.requests.length;
  await untilPassing('it was seen to run', () => server.requests.length > seen + 1);
  say('Complete');
  await untilPassing('it is told of', () => ends.length > 0);
  expect(ends[0]).toContain('their results are not in the folder');
});

test('while the API server is away nothing is told, and afterwards it is made', async () => {
  await server.away(true);
  follow();
  await untilPassing('it was looked for in vain', () => warnings > 1);
  await server.away(false);
  await untilPassing('it is there', () => stored() !== undefined);
  expect(ends).toEqual([]);
});

test('what the cluster forbids is told', async () => {
  const message = 'jobs.batch is forbidden: cannot create resource "jobs"';
  server.refuse(/^POST .*\/jobs/, 403, makeStatus(403, 'Forbidden', message));
  follow();
  await untilPassing('it is told', () => ends.length > 0);
  expect(ends[0]).toContain(message);
});

test('a Job of that name that is not ours is neither taken for it nor removed', async () => {
  const stranger: Job = { metadata: { namespace: SYSTEM, name: NAME } };
  server.store.put(JOBS, stranger);
  follow();
  await untilPassing('it is told', () => ends.length > 0);
  expect(ends[0]).toContain("is not Rouse's");
  await jobs.remove(JOB);
  expect(stored()).toBeDefined();
});

test('what is removed has gone with its pods, or is said to be there', async () => {
  await follow().close();
  await until('it is there', () => stored() !== undefined);
  const held = { ...stored()!.metadata, finalizers: ['foregroundDeletion'] };
  server.store.put(JOBS, { ...stored(), metadata: held });
  const late = jobs.remove(JOB);
  let isGivenUp = false;
  late.catch(() => {
    isGivenUp = true;
  });
  await untilPassing(
    'it is being removed',
    () => stored()?.metadata.deletionTimestamp !== undefined,
  );
  clock.advance(30_000);
  await untilPassing('it is given up', () => isGivenUp);
  await expect(late).rejects.toMatchObject({ code: 'unavailable' });
  const again = jobs.remove(JOB);
  let isGone = false;
  void again.then(() => {
    isGone = true;
  });
  server.store.delete(JOBS, SYSTEM, NAME);
  await untilPassing('it has gone', () => isGone);
  await jobs.remove(JOB);
});

test('control may do to Jobs what it does, and no more', async () => {
  await follow().close();
  await until('it is there', () => stored() !== undefined);
  let isGone = false;
  void jobs.remove(JOB).then(() => {
    isGone = true;
  });
  await untilPassing('it has gone', () => isGone);
  const done = new Set(server.requests.flatMap((request) => deedsOf(request).map(nameOf)));
  const grants = grantsOf(rulesOf(manifestsOf('base'), 'ClusterRole', 'rouse-jobs'));
  expect(grants.toSorted()).toEqual([...done].toSorted());
});
