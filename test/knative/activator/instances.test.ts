import { expect, test } from 'vitest';
import type { NewLease } from '#bus/messages.ts';
import type { RoutingChange } from '#bus/publisher.ts';
import type { RoutingInstance } from '#domain/routing.ts';
import { createInstances } from '#knative/activator/instances.ts';
import { createFakeClock } from '#test/fake-clock.ts';

const LIMITED = { revision: 'n/r/r', concurrency: 4, h2c: false };
const FREE = { ...LIMITED, concurrency: 0 };
const TIMES = { askedAt: 1, seenAt: 2 };

function start() {
  const clock = createFakeClock();
  const known = new Map<string, RoutingInstance>();
  const slots = new Map<string, number>();
  let leases = 0;
  const publisher = {
    update({ instances = [], removedInstances = [] }: RoutingChange) {
      for (const id of removedInstances) known.delete(id);
      for (const instance of instances) known.set(instance.id, instance);
    },
    lease(_: string, told: readonly NewLease[]) {
      leases += 1;
      for (const each of told) slots.set(each.instance, each.slots);
    },
  };
  const instances = createInstances({ publisher, dataPlane: 'a', clock });
  const at = (to: string): RoutingInstance[] =>
    [...known.values()].filter(({ id }) => id.includes(`@${to}#`));
  const slotsAt = (to: string): number => slots.get(at(to).at(-1)?.id ?? '') ?? -1;
  return { clock, instances, known, at, slotsAt, leases: () => leases };
}

test('a pod without a limit is nobody’s in particular', () => {
  const { instances, at, leases } = start();
  instances.add(FREE, '10.0.0.1:8012', TIMES);
  expect(at('10.0.0.1:8012')).toMatchObject([
    { state: 'ready', revision: 'n/r/r', address: { host: '10.0.0.1', port: 8012 }, startedAt: 2 },
  ]);
  expect(at('10.0.0.1:8012')[0]).not.toHaveProperty('leased');
  expect(leases()).toBe(0);
});

test('places of pods with a limit are all ours until we know of another activator', () => {
  const { instances, slotsAt } = start();
  instances.add(LIMITED, 'x:1', TIMES);
  instances.add(LIMITED, 'y:1', TIMES);
  expect([slotsAt('x:1'), slotsAt('y:1')]).toEqual([4, 4]);
  instances.setPlace(LIMITED, { index: 1, count: 2 });
  expect([slotsAt('x:1'), slotsAt('y:1')]).toEqual([0, 4]);
  instances.add(LIMITED, 'z:1', TIMES);
  expect([slotsAt('x:1'), slotsAt('y:1'), slotsAt('z:1')]).toEqual([0, 2, 4]);
});

test('a pod that goes is drained, then forgotten; one that comes at its address is another', () => {
  const { instances, at, known } = start();
  instances.add(FREE, 'x:1', TIMES);
  const [first] = at('x:1');
  instances.remove(FREE, 'x:1');
  expect(at('x:1')).toMatchObject([{ state: 'draining' }]);
  instances.add(FREE, 'x:1', TIMES);
  expect(at('x:1').map(({ state }) => state)).toEqual(['draining', 'ready']);
  instances.drained(first?.id ?? '');
  expect([...known.values()]).toMatchObject([{ state: 'ready' }]);
});

test('what the data plane gives back comes again, a little later and once', () => {
  const { clock, instances, at, leases } = start();
  instances.add(LIMITED, 'x:1', TIMES);
  const before = leases();
  const lease = { instance: at('x:1')[0]?.id ?? '', slots: 1, sequence: 1 };
  instances.released(lease);
  instances.released(lease);
  expect(leases()).toBe(before);
  clock.advance(200);
  expect(leases()).toBe(before + 1);
  clock.advance(1000);
  expect(leases()).toBe(before + 1);
});

test('what is told again changes nothing', () => {
  const { instances, leases } = start();
  instances.add(LIMITED, 'x:1', TIMES);
  instances.setPlace(LIMITED, { index: 0, count: 2 });
  const before = leases();
  instances.setPlace(LIMITED, { index: 0, count: 2 });
  expect(leases()).toBe(before);
});
