import { expect, test } from 'vitest';
import { makeActive } from '#control/autoscaling/active.ts';
import { createOrders } from '#control/autoscaling/orders.ts';
import { modelSpec, revisionSpec } from '#domain/model.ts';
import { silentLog } from '#lib/log.ts';
import type { Runtime, Wanted } from '#runtime/runtime.ts';
import type { Desired } from '#policies/desired.ts';

const spec = revisionSpec.parse({ runtime: 'url', source: 'http://localhost/' });
const facts = {
  key: 'default/digits/v1',
  state: 'Ready',
  workload: { key: 'default/digits/v1', spec },
  scaling: modelSpec.parse({ scaling: { target: 0.9 } }).scaling,
  keepAlive: { policy: 'fixed', idle: 0, park: 0 },
  routed: true,
} as const;
const decision: Desired = { desired: 1, parked: 0, min: 0, max: 4, reason: 'load:steady' };

function begin(exactCount: boolean) {
  const given: Wanted[] = [];
  const runtime = {
    capabilities: { exactCount, parks: false },
    instances: () => [],
    want: async (_: unknown, wanted: Wanted) => void given.push(wanted),
  } as Partial<Runtime> as Runtime;
  const one = makeActive(facts, false, 0);
  one.granted = 1;
  return { given, one, orders: createOrders({ runtime, log: silentLog }) };
}

test('an order is given once, and again when anything of it is different', () => {
  const { given, one, orders } = begin(false);
  orders.give(one, decision, { parked: 0 });
  orders.give(one, decision, { parked: 0 });
  expect(given).toEqual([{ min: 0, max: 4, desired: 1, target: 0.9 }]);
  one.facts = { ...facts, scaling: { ...facts.scaling, target: 0.5 } };
  orders.give(one, decision, { parked: 0 });
  orders.give(one, { ...decision, max: 3 }, { parked: 0 });
  orders.give(one, { ...decision, max: 3, parked: 2 }, { parked: 0 });
  expect(given.slice(1).map(({ max, target, parked }) => [max, target, parked])).toEqual([
    [4, 0.5, undefined],
    [3, 0.5, undefined],
    [3, 0.5, 2],
  ]);
});

test('a runtime that keeps exactly the number is not told what to aim at', () => {
  const { given, one, orders } = begin(true);
  orders.give(one, decision, { parked: 0 });
  expect(given).toEqual([{ min: 0, max: 4, desired: 1 }]);
});
