import { beforeEach, describe, expect, test } from 'vitest';
import { Gate, type Waiter } from '#activator/gate/gate.ts';
import { FULL_BYTES, FULL_COUNT, HOLD, OVER_SHARE } from '#policies/admission.ts';
import type { InstanceRoute } from '#activator/upstream/instance-route.ts';
import { HIGH, LOW, NORMAL } from '#policies/priority.ts';
import { QueueFields } from './queue-fields.ts';

/** A full queue, in places and in bytes, and others who want something of it. */

const PLACES = 10_000;
const BYTES = 100;

let gate: Gate<InstanceRoute>;
let fates: Map<string, number>;

beforeEach(() => {
  fates = new Map();
  const events = {
    onWake: () => {},
    onNobodyThere: () => undefined,
    onDrained: () => {},
    onQuiet: () => {},
    onReleased: () => {},
    onWeighed: () => {},
    now: () => 0,
    startMs: () => 0,
    roll: () => 0,
  };
  gate = new Gate<InstanceRoute>(
    { concurrency: 1, requests: PLACES, bytes: PLACES * BYTES },
    events,
  );
});

function makeWaiter(callerId: string, priority = NORMAL, heldBytes = BYTES): Waiter<InstanceRoute> {
  const count = (): void => void fates.set(callerId, (fates.get(callerId) ?? 0) + 1);
  return Object.assign(new QueueFields(), {
    heldBytes,
    callerId,
    priority,
    arrivedAt: 0,
    onGranted: () => {},
    onRefused: count,
  });
}

const enter = (callerId: string, priority?: number): number =>
  gate.enter(makeWaiter(callerId, priority), 1000);

/** How many of the greedy caller's requests gave way. */
const gaveWay = (): number => fates.get('greedy') ?? 0;

test.each([LOW, NORMAL, HIGH])(
  'one caller has the whole queue, in class %i; each of thousands of others gets a place of its own',
  (priority) => {
    for (let i = 0; i < PLACES; i += 1) expect(enter('greedy', priority)).toBe(HOLD);
    expect(enter('greedy', priority)).toBe(FULL_COUNT);
    for (let i = 0; i < PLACES - 2; i += 1) expect(enter(`other-${i}`)).toBe(HOLD);
    expect(gaveWay()).toBe(PLACES - 2);
    // With two left it has no more than a newcomer would have if that took one of them and came again.
    expect(enter('greedy', priority)).toBe(OVER_SHARE);
    expect(enter('other-0')).toBe(FULL_COUNT);
    expect(enter('one more')).toBe(HOLD);
    expect(enter('and another')).toBe(FULL_COUNT);
    expect([...fates.keys()]).toEqual(['greedy']);
    expect([gate.waiting, gate.bytes]).toEqual([PLACES, PLACES * BYTES]);
  },
);

describe('bytes', () => {
  const all = PLACES * BYTES;
  const hold = (callerId: string, bytes: number, priority = NORMAL): number =>
    gate.enter(makeWaiter(callerId, priority, bytes), 1000);

  test('one caller holds all of them; others get theirs for as long as they hold fewer', () => {
    for (let i = 0; i < 10; i += 1) expect(hold('greedy', all / 10)).toBe(HOLD);
    expect(hold('greedy', 1)).toBe(FULL_BYTES);
    for (let i = 0; i < 4; i += 1) expect(hold('other', all / 10)).toBe(HOLD);
    expect(gaveWay()).toBe(4);
    expect(hold('greedy', 1), 'who holds most is told so').toBe(OVER_SHARE);
    // 6 tenths against what would be as many.
    expect(hold('other', all / 5)).toBe(FULL_BYTES);
    expect(hold('other', all / 10)).toBe(HOLD);
    expect(hold('other', 1), 'both hold half').toBe(OVER_SHARE);
    expect([...fates]).toEqual([['greedy', 5]]);
    expect([gate.waiting, gate.bytes]).toEqual([10, all]);
  });

  test('the newest that hold any give way, the lowest class first, as many as it takes', () => {
    const waiters = [
      makeWaiter('greedy', HIGH, all / 4),
      makeWaiter('greedy', LOW, all / 4),
      makeWaiter('greedy', NORMAL, all / 4),
      makeWaiter('greedy', NORMAL, all / 4),
      makeWaiter('greedy', LOW, 0),
    ];
    for (const waiter of waiters) expect(gate.enter(waiter, 1000)).toBe(HOLD);
    expect(hold('other', all / 4 + 1)).toBe(HOLD);
    expect(waiters.map(({ waitsIn }) => waitsIn !== undefined)).toEqual([
      true,
      false,
      true,
      false,
      true,
    ]);
  });

  test('where who holds most cannot give enough and hold more still, nobody gives way in vain', () => {
    for (let i = 0; i < 6; i += 1) hold('small ones', all / 10);
    hold('large one', (all * 4) / 10);
    expect(hold('other', (all * 55) / 100)).toBe(FULL_BYTES);
    expect([...fates]).toEqual([]);
    expect(hold('other', (all * 3) / 10)).toBe(HOLD);
    expect([...fates]).toEqual([['small ones', 3]]);
  });

  test('a request that grows takes from who holds most, and is refused if that is its own caller', () => {
    hold('greedy', all / 2);
    hold('greedy', all / 2 - 10);
    const growing = makeWaiter('other', NORMAL, 10);
    gate.enter(growing, 1000);
    expect(gate.grow(growing, 1)).toBe(HOLD);
    expect([...fates]).toEqual([['greedy', 1]]);
    expect(gate.bytes).toBe(all / 2 + 11);
    expect(gate.grow(growing, all / 2)).toBe(FULL_BYTES);
    expect(gate.grow(growing, all / 2 - 11)).toBe(HOLD);
    expect(gate.grow(growing, 1), 'both hold half').toBe(OVER_SHARE);
    gate.cancel(growing);
    expect(gate.bytes).toBe(all / 2);
  });

  test('full in both respects: a place and bytes of whoever has most of each are given as they suffice', () => {
    for (let i = 0; i < PLACES - 1; i += 1) hold('many', 0);
    hold('heavy', all);
    expect(hold('other', 1), 'not full in bytes by what "many" gives').toBe(HOLD);
    expect([...fates]).toEqual([['heavy', 1]]);
    expect(hold('many', 0), 'it has most places').toBe(OVER_SHARE);
  });
});

test('a storm of callers that come, grow to the byte, give way and leave in any order leaves nothing', () => {
  const waiters: Waiter<InstanceRoute>[] = [];
  // A generator that gives the same order each time.
  let state = 1;
  const random = (below: number): number => {
    state = (state * 16_807) % 2_147_483_647;
    return state % below;
  };
  for (let i = 0; i < 5 * PLACES; i += 1) {
    const waiter = makeWaiter(`caller-${random(1 + random(500))}`, random(3));
    if (gate.enter(waiter, 1000) === HOLD) waiters.push(waiter);
    if (gate.waiting < PLACES) continue;
    const growing = waiters[random(waiters.length)];
    if (growing?.waitsIn) gate.grow(growing, random(PLACES * BYTES - gate.bytes + BYTES));
    for (let left = random(50); left > 0; left -= 1) {
      const [one] = waiters.splice(random(waiters.length), 1);
      if (one) gate.cancel(one);
    }
    expect(gate.bytes).toBeLessThanOrEqual(PLACES * BYTES);
  }
  const counted = waiters.filter(({ waitsIn }) => waitsIn).map((waiter) => waiter.counted);
  expect(counted.reduce((sum, bytes) => sum + bytes, 0)).toBe(gate.bytes);
  for (const waiter of waiters) gate.cancel(waiter);
  expect([gate.waiting, gate.bytes, gate.inFlight]).toEqual([0, 0, 0]);
  expect([...gate.inOrder()]).toEqual([]);
  expect(enter('next')).toBe(HOLD);
});
