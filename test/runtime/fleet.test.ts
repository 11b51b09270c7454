import fc from 'fast-check';
import { expect, test } from 'vitest';
import { revisionSpec } from '#domain/model.ts';
import type { Instance, RuntimeEvent, Workload } from '#runtime/runtime.ts';
import { createReplica, type Reports } from '#runtime/replica.ts';
import { createFakeClock, type FakeClock } from '#test/fake-clock.ts';
import { createFakeRuntime, type FakeRuntime } from './fake.ts';

/** The invariants of `src/runtime/fleet.ts` and `replica.ts`, under anything that can happen in any order. */
const RUNS = 2000;
const MOST = 4;

const workload: Workload = {
  key: 'default/m/v1',
  spec: revisionSpec.parse({
    runtime: 'command',
    args: ['x'],
    timeouts: { drain: '5s' },
    readiness: { timeout: '20s' },
    resources: { limits: { memory: '1Mi' } },
  }),
};

const TO_ONE = ['crash', 'release', 'resume', 'swell'] as const;

type Step =
  | { readonly do: 'want' | 'wantInNextEvent'; readonly count: number; readonly parked: number }
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: (typeof TO_ONE)[number]; readonly which: number }
  | { readonly do: 'hold' | 'letGo' | 'break' | 'repair' | 'deafen' | 'settle' };

const which = fc.nat({ max: 7 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constantFrom('want' as const, 'wantInNextEvent' as const),
    count: fc.nat({ max: MOST }),
    parked: fc.nat({ max: 2 }),
  }),
  fc.record({
    do: fc.constant('advance' as const),
    ms: fc.constantFrom(1, 100, 1000, 5000, 20_000, 70_000),
  }),
  fc.record({ do: fc.constantFrom(...TO_ONE), which }),
  fc.record({
    do: fc.constantFrom(
      'hold' as const,
      'letGo' as const,
      'break' as const,
      'repair' as const,
      'deafen' as const,
      'settle' as const,
    ),
  }),
);

/** Watches the events of one runtime and complains at once. */
function createWitness(clock: FakeClock) {
  /** From where a state may be reached. */
  const before: Record<Instance['state'], readonly Instance['state'][]> = {
    starting: ['starting'],
    ready: ['starting', 'ready', 'parked'],
    parking: ['ready', 'parking'],
    parked: ['parking', 'parked'],
    draining: ['starting', 'ready', 'parking', 'parked', 'draining'],
  };
  const states = new Map<string, Instance['state']>();
  const gone = new Set<string>();
  let retryAt = 0;
  return {
    gone,
    see(event: RuntimeEvent) {
      const { id, state, askedAt } = event.instance;
      expect(gone.has(id), `${id} was told of after its end`).toBe(false);
      const last = states.get(id);
      if (last === undefined) {
        expect(state).toBe('starting');
        expect(askedAt, 'launched before retryAt').toBeGreaterThanOrEqual(retryAt);
      } else expect(before[state], `${id} went from ${last} to ${state}`).toContain(last);
      states.set(id, state);
      if (event.type !== 'instance') gone.add(id);
      if (event.type === 'failed') {
        expect(event.retryAt).toBeGreaterThanOrEqual(clock.now());
        retryAt = event.retryAt;
      }
    },
    unfinished: () => Array.from(states.keys()).filter((id) => !gone.has(id)),
  };
}

async function settle(): Promise<void> {
  for (let n = 0; n < 20; n++) await Promise.resolve();
}

function act(runtime: FakeRuntime, clock: FakeClock, one: Step): void {
  const pick = (n: number) => {
    const all = runtime.instances();
    return all[n % Math.max(1, all.length)]?.id;
  };
  if (one.do === 'want') {
    const { count, parked } = one;
    void runtime.want(workload, { min: 0, max: MOST, desired: count, parked });
  }
  if (one.do === 'advance') clock.advance(one.ms);
  if (one.do === 'crash' && pick(one.which)) runtime.crash(pick(one.which) ?? '');
  if (one.do === 'release') runtime.release(pick(one.which) ?? '');
  if (one.do === 'resume') runtime.resume(pick(one.which) ?? '');
  if (one.do === 'swell') runtime.setMemory(pick(one.which) ?? '', 2 ** 21);
  if (one.do === 'hold') runtime.holdStarts();
  if (one.do === 'letGo') runtime.letGo();
  if (one.do === 'break') runtime.failStarts(workload.key, 'broken');
  if (one.do === 'repair') runtime.failStarts(workload.key, undefined);
  if (one.do === 'deafen') runtime.ignoreTerm(workload.key, true);
}

function live(runtime: FakeRuntime): number {
  return count(runtime, ['starting', 'ready']);
}

function count(runtime: FakeRuntime, states: readonly Instance['state'][]): number {
  return runtime.instances().filter(({ state }) => states.includes(state)).length;
}

test('whatever happens in whatever order, every invariant holds and the order is carried out', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const clock = createFakeClock();
      const runtime = createFakeRuntime({ clock });
      const witness = createWitness(clock);
      let desired = 0;
      let parked = 0;
      let resumed = 0;
      let next: Extract<Step, { count: number }> | undefined;
      runtime.onEvent((event) => {
        witness.see(event);
        if (next === undefined) return;
        const order = next;
        next = undefined;
        desired = order.count;
        parked = order.parked;
        act(runtime, clock, { ...order, do: 'want' });
      });
      for (const one of steps) {
        if (one.do === 'want') {
          desired = one.count;
          parked = one.parked;
        }
        if (one.do === 'wantInNextEvent') next = one;
        if (one.do === 'want') resumed = 0;
        if (one.do === 'resume') resumed += 1;
        act(runtime, clock, one);
        expect(live(runtime), 'more than desired').toBeLessThanOrEqual(desired + resumed);
        const kept = count(runtime, ['parked', 'parking']);
        expect(kept, 'more parked than allowed').toBeLessThanOrEqual(parked);
        if (count(runtime, ['parked']) > 0) expect(count(runtime, ['starting'])).toBe(0);
        if (one.do === 'settle') await settle();
      }
      next = undefined;
      // Once nothing is in the way any more, there is what was ordered, and all of it is ready.
      runtime.failStarts(workload.key, undefined);
      runtime.letGo();
      act(runtime, clock, { do: 'want', count: desired, parked });
      for (let n = 0; n < 4; n++) {
        await settle();
        clock.advance(60_000);
      }
      await settle();
      expect(count(runtime, ['ready'])).toBe(desired);
      expect(runtime.instances().length).toBe(desired + count(runtime, ['parked']));
      const closing = runtime.close(1000);
      await settle();
      clock.advance(1000);
      await closing;
      expect(witness.unfinished()).toEqual([]);
    }),
    { numRuns: RUNS },
  );
});

test('an instance that is said to have ended twice ends once, and is not heard after it', () => {
  const told: string[] = [];
  let reports: Reports | undefined;
  const replica = createReplica({
    id: 'i',
    workload,
    clock: createFakeClock(),
    launch(_launch, given) {
      reports = given;
      return { terminate: () => {}, kill: () => {} };
    },
    changed: ({ state }) => told.push(state),
    becameReady: () => told.push('became ready'),
    becameParked: () => told.push('became parked'),
    ended: ({ reason }) => told.push(reason),
  });
  replica.start();
  reports?.ended('first', []);
  reports?.ended('second', []);
  reports?.started();
  reports?.ready({ node: 'n', socket: 's' });
  replica.measured(1, 1);
  replica.dismiss(false);
  expect(told).toEqual(['starting', 'first']);
});

test('an order given by a listener, while the last one is carried out, is carried out at once', async () => {
  const clock = createFakeClock();
  const runtime = createFakeRuntime({ clock });
  act(runtime, clock, { do: 'want', count: 4, parked: 0 });
  await settle();
  let isFirst = true;
  runtime.onEvent(() => {
    if (!isFirst) return;
    isFirst = false;
    act(runtime, clock, { do: 'want', count: 4, parked: 0 });
  });
  act(runtime, clock, { do: 'want', count: 1, parked: 0 });
  expect(live(runtime)).toBe(4);
  const closing = runtime.close(0);
  await settle();
  clock.advance(0);
  await closing;
});
