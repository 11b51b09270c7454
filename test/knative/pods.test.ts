import { describe, expect, test } from 'vitest';
import { readPod } from '#knative/runtime/pods.ts';
import type { ContainerStatus, Pod } from '#knative/api/objects.ts';

const KEY = 'shop/digits/v2';
const ASKED = '2030-01-01T00:00:00Z';
const STARTED = '2030-01-01T00:00:02Z';
const ENDED = '2030-01-01T00:00:05Z';
const READY = '2030-01-01T00:00:09Z';
const at = (text: string): number => Date.parse(text);

function pod(status: Pod['status'], metadata: Partial<Pod['metadata']> = {}): Pod {
  return {
    metadata: {
      name: 'digits-v2-0-deployment-abc',
      namespace: 'shop',
      creationTimestamp: ASKED,
      ...metadata,
    },
    spec: {
      containers: [
        { name: 'model', image: 'x/y:1', resources: { limits: { memory: '100663296' } } },
        {
          name: 'queue-proxy',
          ports: [
            { name: 'http-usermetric', containerPort: 9091 },
            { name: 'queue-port', containerPort: 8012 },
          ],
        },
      ],
    },
    ...(status && { status }),
  };
}

function model(status: Omit<ContainerStatus, 'name'>): readonly ContainerStatus[] {
  return [
    { name: 'queue-proxy', restartCount: 7, state: { waiting: { reason: 'ErrImagePull' } } },
    { name: 'model', ...status },
  ];
}

const running = { running: { startedAt: STARTED } };
const ready = [{ type: 'Ready', status: 'True', lastTransitionTime: READY }] as const;
const address = { node: 'cluster', host: '10.1.2.3', port: 8012 };

describe('a pod as an instance', () => {
  test('that was asked for', () => {
    expect(readPod(pod(undefined), KEY)).toEqual({
      instance: {
        id: 'shop/digits-v2-0-deployment-abc',
        revision: KEY,
        state: 'starting',
        origin: 'fresh',
        address: undefined,
        askedAt: at(ASKED),
        startedAt: 0,
        readyAt: 0,
        parkedAt: 0,
        memoryBytes: 0,
        cpuSeconds: 0,
      },
    });
  });

  test('whose program runs has no address before it is ready', () => {
    const status = { podIP: '10.1.2.3', containerStatuses: model({ state: running }) };
    expect(readPod(pod(status), KEY).instance).toMatchObject({
      state: 'starting',
      address: undefined,
      startedAt: at(STARTED),
      readyAt: 0,
    });
  });

  test('that is ready takes requests at its queue-proxy', () => {
    const status = {
      podIP: '10.1.2.3',
      conditions: ready,
      containerStatuses: model({ state: running }),
    };
    expect(readPod(pod(status), KEY)).toEqual({
      instance: expect.objectContaining({
        state: 'ready',
        address,
        startedAt: at(STARTED),
        readyAt: at(READY),
      }),
    });
  });

  test('that is deleted drains, and can still be reached', () => {
    const status = {
      podIP: '10.1.2.3',
      conditions: ready,
      containerStatuses: model({ state: running }),
    };
    const reading = readPod(pod(status, { deletionTimestamp: READY }), KEY);
    expect(reading.instance).toMatchObject({ state: 'draining', address });
    expect(reading.end).toBeUndefined();
  });

  test('for which there is no room says so, and has not failed', () => {
    const message = '0/1 nodes are available: 1 Insufficient memory. preemption: 0/1';
    const conditions = [
      { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message },
    ] as const;
    expect(readPod(pod({ phase: 'Pending', conditions }), KEY)).toEqual({
      instance: expect.objectContaining({
        state: 'starting',
        waitingFor: `waits for room: ${message}`,
      }),
    });
  });
});

describe('a program that ended', () => {
  test.each([
    ['by itself', { exitCode: 3 }, 'exited with status 3 after 3s'],
    ['without an error', { exitCode: 0, reason: 'Completed' }, 'exited with status 0 after 3s'],
    ['by a signal', { exitCode: 137, reason: 'Error' }, 'ended by signal SIGKILL after 3s'],
    ['by a fault', { exitCode: 139, reason: 'Error' }, 'ended by signal SIGSEGV after 3s'],
    [
      'for its memory',
      { exitCode: 137, reason: 'OOMKilled' },
      'used all of its memory, its limit is 96Mi',
    ],
    [
      'before it began',
      { exitCode: 128, reason: 'StartError', message: 'exec: "serve": not found\nmore' },
      'its program cannot be started: exec: "serve": not found',
    ],
  ])('%s: waiting for the next start it is no instance', (_name, how, reason) => {
    const terminated = { startedAt: STARTED, finishedAt: ENDED, ...how };
    const waiting = { reason: 'CrashLoopBackOff', message: 'back-off 10s' };
    const between = model({ restartCount: 2, state: { waiting }, lastState: { terminated } });
    expect(readPod(pod({ containerStatuses: between }), KEY)).toEqual({
      end: expect.objectContaining({
        reason,
        instance: expect.objectContaining({ id: 'shop/digits-v2-0-deployment-abc~2' }),
      }),
    });
    const ended = model({ restartCount: 2, state: { terminated } });
    expect(readPod(pod({ containerStatuses: ended }), KEY).end?.reason).toBe(reason);
  });

  test('and runs again is another instance', () => {
    const terminated = { startedAt: STARTED, finishedAt: ENDED, exitCode: 1, message: 'a\nb\n' };
    const status = model({
      restartCount: 1,
      state: { running: { startedAt: READY } },
      lastState: { terminated },
    });
    expect(readPod(pod({ containerStatuses: status }), KEY)).toEqual({
      instance: expect.objectContaining({
        id: 'shop/digits-v2-0-deployment-abc~1',
        state: 'starting',
        askedAt: at(ENDED),
        startedAt: at(READY),
      }),
      end: {
        reason: 'exited with status 1 after 3s',
        lastLines: ['a', 'b'],
        instance: expect.objectContaining({ id: 'shop/digits-v2-0-deployment-abc', startedAt: 0 }),
      },
    });
  });
});

describe('what keeps a container from starting', () => {
  test.each([
    [
      'ErrImagePull',
      'failed to pull and unpack image "x/y:1": not found',
      'its image cannot be pulled: failed to pull and unpack image "x/y:1": not found',
    ],
    [
      'ImagePullBackOff',
      'Back-off pulling image "x/y:1": ErrImagePull: not found',
      'its image cannot be pulled: not found',
    ],
    ['ImagePullBackOff', 'Back-off pulling image "x/y:1"', 'its image cannot be pulled: x/y:1'],
    ['InvalidImageName', undefined, 'its image has no valid name: x/y:1'],
    [
      'CreateContainerConfigError',
      'secret "openai" not found',
      'its container cannot be set up: secret "openai" not found',
    ],
    [
      'CreateContainerConfigError',
      "couldn't find key value in Secret shop/openai",
      "its container cannot be set up: couldn't find key value in Secret shop/openai",
    ],
    ['RunContainerError', 'no such file', 'its program cannot be started: no such file'],
  ])('%s: %s', (reason, message, expected) => {
    const waiting = { reason, ...(message !== undefined && { message }) };
    const reading = readPod(pod({ containerStatuses: model({ state: { waiting } }) }), KEY);
    expect(reading.broken?.reason).toBe(expected);
    expect(reading.instance).toBeUndefined();
  });

  test('a container that is being made has not failed', () => {
    const waiting = { reason: 'ContainerCreating' };
    const reading = readPod(pod({ containerStatuses: model({ state: { waiting } }) }), KEY);
    expect(reading.broken).toBeUndefined();
    expect(reading.instance?.state).toBe('starting');
  });
});

describe('a pod that has ended as a whole', () => {
  test('because its node needs the room', () => {
    const message = 'The node was low on resource: memory.\nmore';
    const reading = readPod(pod({ phase: 'Failed', reason: 'Evicted', message }), KEY);
    expect(reading.end?.reason).toBe('put out by its node: The node was low on resource: memory.');
    expect(reading.instance).toBeUndefined();
  });

  test('because its node refuses it', () => {
    const message = 'Pod was rejected: Node had taints';
    const reading = readPod(pod({ phase: 'Failed', reason: 'TaintToleration', message }), KEY);
    expect(reading.end?.reason).toBe(`its pod has failed: ${message}`);
  });

  test('with its program', () => {
    const terminated = { exitCode: 9, startedAt: STARTED, finishedAt: ENDED };
    const containerStatuses = model({ state: { terminated } });
    const reading = readPod(pod({ phase: 'Failed', containerStatuses }), KEY);
    expect(reading.end?.reason).toBe('exited with status 9 after 3s');
  });
});
