import { beforeEach, describe, expect, test } from 'vitest';
import { createFailures } from '#knative/runtime/failures.ts';
import { createPodInstances, type PodInstances } from '#knative/runtime/instances.ts';
import type { ContainerStatus, Pod } from '#knative/api/objects.ts';
import type { RuntimeEvent } from '#runtime/runtime.ts';
import { createFakeClock } from '#test/fake-clock.ts';

let events: string[];
let book: PodInstances;

beforeEach(() => {
  events = [];
  const emit = (event: RuntimeEvent): void => {
    const { id, state } = event.instance;
    const name = id.replace('shop/', '');
    events.push(event.type === 'instance' ? `${name} ${state}` : `${name} ${event.type}`);
  };
  book = createPodInstances({ failures: createFailures({ clock: createFakeClock(), emit }), emit });
});

const running = { running: { startedAt: '2030-01-01T00:00:00Z' } };
const ended = { terminated: { exitCode: 1 } };

function pod(status: Omit<ContainerStatus, 'name'>, isReady = false, isGoing = false): Pod {
  return {
    metadata: {
      name: 'a',
      namespace: 'shop',
      labels: { 'rouse.dev/model': 'digits', 'rouse.dev/revision': 'v1' },
      ...(isGoing && { deletionTimestamp: '2030-01-01T00:00:09Z' }),
    },
    spec: { containers: [{ name: 'q', ports: [{ name: 'queue-port', containerPort: 8012 }] }] },
    status: {
      podIP: '10.0.0.1',
      conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }],
      containerStatuses: [{ name: 'model', ...status }],
    },
  };
}

describe('pods as instances', () => {
  test('that ended before this life are not told, and those that end in it are, once', () => {
    book.set(pod({ restartCount: 1, state: running, lastState: ended }), false);
    expect(events).toEqual(['a~1 starting']);
    book.set(pod({ restartCount: 1, state: ended }), true);
    book.set(pod({ restartCount: 1, state: ended }), true);
    expect(events).toEqual(['a~1 starting', 'a~1 failed']);
    expect(book.list()).toEqual([]);
    expect(book.hasPods('shop/digits/v1')).toBe(true);
  });

  test('that came up in this life are told with the end that nobody saw', () => {
    book.set(pod({ restartCount: 1, state: running, lastState: ended }), true);
    expect(events).toEqual(['a failed', 'a~1 starting']);
  });

  test('whose runs were missed have stopped', () => {
    book.set(pod({ restartCount: 0, state: running }, true), true);
    book.set(pod({ restartCount: 2, state: running }), true);
    expect(events).toEqual(['a ready', 'a stopped', 'a~2 starting']);
  });

  test('stay ready until they drain, and have stopped when they are gone', () => {
    const states = [true, false, true].map((isReady) => pod({ state: running }, isReady));
    for (const each of states) book.set(each, true);
    expect(events).toEqual(['a ready']);
    book.set(pod({ state: running }, true, true), true);
    expect(book.list()[0]?.address).toEqual({ node: 'cluster', host: '10.0.0.1', port: 8012 });
    book.gone(pod({ state: running }));
    book.gone(pod({ state: running }));
    expect(events).toEqual(['a ready', 'a draining', 'a stopped']);
    expect(book.list()).toEqual([]);
  });

  test('of a revision are none, starting or ready: those that will not be ready do not count', () => {
    const state = () => book.stateOf('shop/digits/v1');
    expect(state()).toBe('none');
    book.set(pod({ state: { waiting: { reason: 'ImagePullBackOff' } } }), true);
    expect(state()).toBe('starting');
    book.set(pod({ state: running }, true), true);
    expect(state()).toBe('ready');
    const second = pod({ state: running });
    book.set({ ...second, metadata: { ...second.metadata, name: 'b' } }, true);
    expect(state()).toBe('ready');
    book.set(pod({ state: running }, true, true), true);
    expect(state()).toBe('starting');
    book.set(
      { ...second, metadata: { ...second.metadata, name: 'b' }, status: { phase: 'Failed' } },
      true,
    );
    expect(state()).toBe('none');
  });

  test('that are not of a revision are nobody’s', () => {
    book.set({ metadata: { name: 'b', namespace: 'shop' } }, true);
    expect(events).toEqual([]);
  });
});
