import { beforeEach, expect, test } from 'vitest';
import { Gate, type Waiter } from '#activator/gate/gate.ts';
import { FULL_COUNT, HOLD, OVER_SHARE } from '#policies/admission.ts';
import type { InstanceRoute } from '#activator/upstream/instance-route.ts';
import { HIGH, LOW, NORMAL } from '#policies/priority.ts';
import { QueueFields } from './queue-fields.ts';

/** A full queue, and thousands who want a place in it. */

const PLACES = 10_000;
const BYTES = 100;

let gate: Gate<InstanceRoute>;
let fates: Map<string, number>;

beforeEach(() => {
  fates = new Map();
  const events = {
    onWake: () => {},
    onDrained: () => {},
    onQuiet: () => {},
    onReleased: () => {},
    now: () => 0,
    startMs: () => 0,
    roll: () => 0,
  };
  gate = new Gate({ concurrency: 1, requests: PLACES, bytes: PLACES * BYTES }, events);
});

function makeWaiter(callerId: string, priority = NORMAL): Waiter<InstanceRoute> {
  const count = (): void => void fates.set(callerId, (fates.get(callerId) ?? 0) + 1);
  return Object.assign(new QueueFields(), {
    heldBytes: BYTES,
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
    expect([gate.waiting, gate.waitingBytes]).toEqual([PLACES, PLACES * BYTES]);
  },
);

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
    expect(gate.takeBytes(PLACES * BYTES - gate.waitingBytes + 1)).toBe(false);
    for (let left = random(50); left > 0; left -= 1) {
      const [one] = waiters.splice(random(waiters.length), 1);
      if (one) gate.cancel(one);
    }
    expect(gate.waitingBytes).toBe(gate.waiting * BYTES);
  }
  for (const waiter of waiters) gate.cancel(waiter);
  expect([gate.waiting, gate.waitingBytes, gate.inFlight]).toEqual([0, 0, 0]);
  expect([...gate.inOrder()]).toEqual([]);
  expect(enter('next')).toBe(HOLD);
});
