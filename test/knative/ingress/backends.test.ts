import { beforeEach, describe, expect, test } from 'vitest';
import { type BackendChange, type Backends, createBackends } from '#knative/ingress/backends.ts';
import { createFakeClock, type FakeClock } from '#test/fake-clock.ts';

const BACKEND = { namespace: 'shop', service: 'digits', port: 80 };
const at = (port: number, h2c = false) => ({ host: '10.0.0.1', port, h2c });

let clock: FakeClock;
let backends: Backends;
/** What the data plane knows: instances by id with their state, models by key. */
let instances: Map<string, string>;
let models: Set<string>;
let changes: BackendChange[];

beforeEach(() => {
  clock = createFakeClock();
  instances = new Map();
  models = new Set();
  changes = [];
  backends = createBackends({
    clock,
    publish(change) {
      changes.push(change);
      for (const { namespace, name } of change.models ?? []) models.add(`${namespace}/${name}`);
      for (const { id, state } of change.instances ?? []) instances.set(id, state);
      for (const id of change.removedInstances ?? []) instances.delete(id);
      for (const key of change.removedModels ?? []) models.delete(key);
    },
  });
});

describe('endpoints', () => {
  test('come, leave, and come back as others', () => {
    backends.set(BACKEND, [at(1), at(2)]);
    expect([...models]).toEqual(['shop/digits:80']);
    expect([...instances]).toEqual([
      ['shop/digits:80@10.0.0.1:1#1', 'ready'],
      ['shop/digits:80@10.0.0.1:2#2', 'ready'],
    ]);
    backends.set(BACKEND, [at(2)]);
    expect(instances.get('shop/digits:80@10.0.0.1:1#1')).toBe('draining');
    backends.set(BACKEND, [at(1), at(2)]);
    expect(instances.get('shop/digits:80@10.0.0.1:1#1')).toBe('draining');
    expect(instances.get('shop/digits:80@10.0.0.1:1#3')).toBe('ready');
    backends.onDrained('shop/digits:80@10.0.0.1:1#1');
    expect([...instances.keys()]).toEqual([
      'shop/digits:80@10.0.0.1:2#2',
      'shop/digits:80@10.0.0.1:1#3',
    ]);
  });

  test('that stay say nothing; another protocol is another endpoint', () => {
    backends.set(BACKEND, [at(1)]);
    const before = changes.length;
    backends.set(BACKEND, [at(1)]);
    expect(changes).toHaveLength(before);
    backends.set(BACKEND, [at(1, true)]);
    expect([...instances.values()]).toEqual(['draining', 'ready']);
  });

  test('what is drained and was not told to is not forgotten', () => {
    backends.set(BACKEND, [at(1)]);
    backends.onDrained('shop/digits:80@10.0.0.1:1#1');
    expect(instances.size).toBe(1);
  });
});

describe('a backend to which nothing leads any more', () => {
  test('is there until nobody can wait for it', () => {
    backends.set(BACKEND, [at(1)]);
    backends.release(BACKEND);
    clock.advance(5000);
    expect([...models]).toEqual(['shop/digits:80']);
    expect([...instances.values()]).toEqual(['ready']);
    clock.advance(1000);
    expect(models.size).toBe(0);
    expect([...instances.values()]).toEqual(['draining']);
    backends.onDrained([...instances.keys()][0] ?? '');
    expect(instances.size).toBe(0);
  });

  test('stays when something leads there again', () => {
    backends.set(BACKEND, [at(1)]);
    backends.release(BACKEND);
    backends.set(BACKEND, [at(1)]);
    clock.advance(60_000);
    expect([...instances.values()]).toEqual(['ready']);
    expect(models.size).toBe(1);
  });

  test('does not outlive its owner', () => {
    backends.set(BACKEND, [at(1)]);
    backends.release(BACKEND);
    backends.close();
    expect(clock.pending).toBe(0);
  });
});
