import { afterEach, beforeEach, expect, test } from 'vitest';
import { programSpec } from '#domain/program-job.ts';
import { createConnection } from '#knative/api/client.ts';
import { createKube } from '#knative/api/kube.ts';
import type { Pod } from '#knative/api/objects.ts';
import { JOBS, PODS } from '#knative/api/resources.ts';
import type { PodEnd } from '#knative/programs/ends.ts';
import type { ProgramJob } from '#knative/programs/manifest.ts';
import { createProgramJobs, type ProgramJobs } from '#knative/programs/program-jobs.ts';
import { systemClock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import { createFakeClock, type FakeClock } from '#test/fake-clock.ts';
import { until } from '#test/until.ts';
import { type ApiServer, startApiServer } from '../api-server.ts';
import { manifestsOf } from '../install/files.ts';
import type { Stored } from '../object-store.ts';
import { deedsOf, grantsOf, nameOf, rulesOf } from '../install/rights.ts';

const JOB: ProgramJob = {
  namespace: 'shop',
  id: 'job-1',
  attempt: 1,
  spec: programSpec.parse({ kind: 'program', args: ['true'] }),
  inputs: {},
};

let server: ApiServer;
let clock: FakeClock;
let jobs: ProgramJobs;
let closeConnection: () => void;
/** The next Job is made, and nobody hears of it. */
let isLossy: boolean;
let end: PodEnd | undefined;
let waits: (string | undefined)[];
let closing: AbortController;
let followed: Promise<unknown>;

beforeEach(async () => {
  server = await startApiServer();
  clock = createFakeClock();
  const connection = await createConnection(server.kubeconfig);
  closeConnection = () => connection.close();
  const servers = { image: 'rouse:1', artifactsUrl: 'http://rouse', artifactKey: () => 'ra_1' };
  const outfit = {
    servers,
    step: ['node', 'program.ts'],
    env: {},
    outputUrl: () => 'http://rouse/output',
    outputKey: () => 'ro_1',
  };
  const kube = createKube(connection, systemClock);
  isLossy = false;
  const create: typeof kube.create = async (...args) => {
    const object = await kube.create(...args);
    if (!isLossy) return object;
    isLossy = false;
    throw new Fault('unavailable', 'the answer is lost');
  };
  jobs = createProgramJobs({ kube: { ...kube, create }, outfit, clock, log: { warn: () => {} } });
  end = undefined;
  waits = [];
  closing = new AbortController();
  followed = Promise.resolve();
});

afterEach(async () => {
  closing.abort();
  clock.advance(5000);
  await followed;
  closeConnection();
  await server.close();
});

function run(): void {
  const follow = async (): Promise<void> => {
    const onWaits = (what: string | undefined): void => void waits.push(what);
    end = await jobs.run(JOB, closing.signal, onWaits).catch(() => undefined);
  };
  followed = follow();
}

async function untilPassing(what: string, holds: () => boolean): Promise<void> {
  await until(what, () => {
    clock.advance(2000);
    return holds();
  });
}

const posts = () => server.requests.filter(({ method }) => method === 'POST').length;
const made = () => server.store.all(JOBS)[0];

function putPod(status: Pod['status']): void {
  const labels = { 'batch.kubernetes.io/job-name': made()?.metadata.name ?? '' };
  const pod: Pod = { metadata: { namespace: 'shop', name: 'pod-1', labels }, status };
  server.store.put(PODS, pod);
}

const waiting = (reason: string): Pod['status'] => ({
  initContainerStatuses: [{ name: 'program', state: { waiting: { reason } } }],
});

test('one whose image cannot be pulled has failed after a while', async () => {
  run();
  await until('it is there', () => made() !== undefined);
  putPod(waiting('ImagePullBackOff'));
  const begun = clock.now();
  await untilPassing('it has failed', () => end !== undefined);
  expect(end).toMatchObject({ kind: 'failed', why: expect.stringContaining('cannot be pulled') });
  expect(clock.now() - begun).toBeGreaterThanOrEqual(120_000);
});

test('one of which the cluster makes no pod has failed after a while', async () => {
  run();
  await untilPassing('it has failed', () => end !== undefined);
  expect(end).toMatchObject({
    kind: 'failed',
    why: expect.stringMatching(/kubectl describe job --namespace shop program-job-1-/),
  });
});

test('one that waits for room waits, however long, and it is told for what', async () => {
  run();
  await until('it is there', () => made() !== undefined);
  const message = '0/1 nodes are available: 1 Insufficient nvidia.com/gpu.';
  const [type, reason] = ['PodScheduled', 'Unschedulable'];
  putPod({ conditions: [{ type, status: 'False', reason, message }] });
  await untilPassing('it was looked at often', () => waits.length > 20);
  expect(end).toBeUndefined();
  expect(new Set(waits)).toEqual(new Set([`waits for room: ${message}`]));
  putPod({ conditions: [{ type, status: 'True' }] });
  await untilPassing('it has room', () => waits.at(-1) === undefined);
});

test('one that was made although the answer was lost is not made twice', async () => {
  isLossy = true;
  run();
  await untilPassing('it was asked for twice', () => posts() === 2);
  const { uid } = made()?.metadata ?? {};
  const labels = { 'batch.kubernetes.io/job-name': made()?.metadata.name ?? '' };
  server.store.put(PODS, { metadata: { namespace: 'shop', name: 'pod-1', labels } });
  const status = { conditions: [{ type: 'Complete', status: 'True' }] };
  server.store.put(JOBS, { ...made(), status } as Stored);
  await untilPassing('it is done', () => end !== undefined);
  expect(end).toMatchObject({ kind: 'done' });
  expect(made()?.metadata.uid).toBe(uid);
});

test('control may do to these Jobs what it does, and no more', async () => {
  await jobs.check(JOB);
  run();
  await until('it is there', () => made() !== undefined);
  putPod({});
  await jobs.logs(JOB, 10);
  let isGone = false;
  void jobs.remove(JOB).then(() => {
    isGone = true;
  });
  await untilPassing('it has gone', () => isGone);
  const done = new Set(server.requests.flatMap((request) => deedsOf(request).map(nameOf)));
  // That it may do for its instances, too.
  for (const other of grantsOf(rulesOf(manifestsOf('base'), 'ClusterRole', 'rouse'))) {
    done.delete(other);
  }
  const grants = grantsOf(rulesOf(manifestsOf('base'), 'ClusterRole', 'rouse-jobs'));
  expect(grants.toSorted()).toEqual([...done].toSorted());
});
