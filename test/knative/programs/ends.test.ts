import { describe, expect, test } from 'vitest';
import type { ContainerStatus, Pod, Terminated } from '#knative/api/objects.ts';
import { readBroken, readEnd } from '#knative/programs/ends.ts';

const DIGEST = 'a'.repeat(64);
const TIMES = { startedAt: '2026-01-01T00:00:00Z', finishedAt: '2026-01-01T00:01:30Z' };

const ended = (
  name: string,
  exitCode: number,
  more: Partial<Terminated> = {},
): ContainerStatus => ({
  name,
  state: { terminated: { exitCode, ...TIMES, ...more } },
});

function makePod(
  statuses: readonly ContainerStatus[],
  status: Pod['status'] = {},
  metadata: Partial<Pod['metadata']> = {},
): Pod {
  const limits = { limits: { memory: String(2 ** 30) } };
  return {
    metadata: { name: 'program-1', ...metadata },
    spec: { initContainers: [{ name: 'program', image: 'train:1', resources: limits }] },
    status: { ...status, initContainerStatuses: statuses },
  };
}

const FETCHED = ended('fetch', 0);

describe('how a program ended', () => {
  test('well, with the digest of what it has handed over', () => {
    const pod: Pod = {
      ...makePod([FETCHED, ended('program', 0)]),
    };
    const left = {
      ...pod,
      status: { ...pod.status, containerStatuses: [ended('leave', 0, { message: DIGEST })] },
    };
    expect(readEnd(left, true)).toEqual({ kind: 'done', seconds: 90, output: DIGEST });
    expect(readEnd(pod, true)).toEqual({ kind: 'done', seconds: 90 });
  });

  test.each<[string, Pod, string]>([
    [
      'by itself',
      makePod([FETCHED, ended('program', 3, { message: 'reading\nno rows\n' })]),
      'its program exited with status 3 after 90s\n  reading\n  no rows',
    ],
    [
      'for want of memory',
      makePod([FETCHED, ended('program', 137, { reason: 'OOMKilled' })]),
      'its program used all of its memory, its limit is 1Gi',
    ],
    [
      'before it began',
      makePod([
        FETCHED,
        ended('program', 128, { reason: 'StartError', message: 'exec: "x": not found' }),
      ]),
      'its program cannot be started: exec: "x": not found',
    ],
    [
      'because what it is given cannot be had',
      makePod([ended('fetch', 1, { message: 'trying\nhttp://rouse answered 404' })]),
      'what it is given could not be fetched: http://rouse answered 404',
    ],
    [
      'because it took too much of the disk',
      makePod([], {
        reason: 'Evicted',
        message: 'Usage of EmptyDir volume "work" exceeds the limit "16Gi".',
        conditions: [{ type: 'DisruptionTarget', status: 'True' }],
      }),
      'its pod ended: Usage of EmptyDir volume "work" exceeds the limit "16Gi".',
    ],
  ])('badly, %s', (_, pod, why) => {
    expect(readEnd(pod, false)).toEqual({ kind: 'failed', why });
  });

  const KILLED = [FETCHED, ended('program', 137)];
  test.each<[string, Pod | undefined, string]>([
    ['it was removed', undefined, 'its pod was removed'],
    ['it is being removed', makePod(KILLED, {}, { deletionTimestamp: 'now' }), 'its pod ended'],
    [
      'its node was drained',
      makePod(KILLED, {
        reason: 'Preempted',
        conditions: [{ type: 'DisruptionTarget', status: 'True' }],
      }),
      'its pod ended: Preempted',
    ],
  ])('by no doing of its own: %s', (_, pod, why) => {
    expect(readEnd(pod, false)).toEqual({ kind: 'lost', why });
  });
});

test.each<[string, ContainerStatus, string | undefined]>([
  [
    'waits for its turn',
    { name: 'program', state: { waiting: { reason: 'PodInitializing' } } },
    undefined,
  ],
  [
    'has no image',
    { name: 'program', state: { waiting: { reason: 'ImagePullBackOff' } } },
    'its image cannot be pulled: train:1',
  ],
  [
    'has no secret',
    {
      name: 'program',
      state: {
        waiting: { reason: 'CreateContainerConfigError', message: 'secret "token" not found' },
      },
    },
    'its container cannot be set up: secret "token" not found',
  ],
])('a pod whose program %s', (_, status, why) => {
  expect(readBroken(makePod([FETCHED, status]))).toBe(why);
});
