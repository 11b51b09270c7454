import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Queue } from '#activator/gate/queue.ts';
import type { Flow, Queued } from '#activator/gate/shares.ts';
import { HEAD_START_MS, HIGH, LOW, NORMAL } from '#policies/priority.ts';
import { NaiveQueue } from './naive-queue.ts';

class Request implements Queued<Request> {
  previous: Request | undefined;
  next: Request | undefined;
  flow: Flow<Request> | undefined;
  order = 0;
  turn = 0;
  counted = 0;
  heldBytes = 1;
  readonly callerId: string;
  readonly priority: number;
  readonly arrivedAt: number;
  /** What it found when it came: its place in its caller's flow, and the callers of its class meanwhile. */
  place = 0;
  callers = 0;
  /** Grants of its class since. */
  grants = 0;

  constructor(callerId: string, priority: number, arrivedAt: number) {
    this.callerId = callerId;
    this.priority = priority;
    this.arrivedAt = arrivedAt;
  }
}

function isLike(a: Request, b: Request): boolean {
  return a.callerId === b.callerId && a.priority === b.priority;
}

/** A queue, its model, and what invariant 3 bounds, kept by counting. */
class World {
  now = 0;
  private somebodyCameBack = false;
  readonly queue = new Queue<Request>(() => {});
  readonly naive = new NaiveQueue<Request>();
  readonly served: Request[] = [];

  add(callerId: string, priority: number): Request {
    const request = new Request(callerId, priority, this.now);
    this.queue.add(request);
    this.naive.add(request);
    request.place = this.naive.entries.filter((other) => isLike(other, request)).length;
    this.countCallers(priority);
    return request;
  }

  take(): Request | undefined {
    const request = this.queue.first;
    expect(request).toBe(this.naive.next());
    if (!request) return undefined;
    this.checkOvertaking(request);
    this.queue.take(request);
    this.naive.take(request);
    this.served.push(request);
    for (const other of this.naive.entries) {
      if (other.priority === request.priority) other.grants += 1;
    }
    return request;
  }

  comeBack(index: number): void {
    const request = this.served.splice(index % Math.max(1, this.served.length), 1)[0];
    if (!request) return;
    this.queue.addAgain(request);
    this.naive.addAgain(request);
    this.somebodyCameBack = true;
  }

  remove(index: number): void {
    const { entries } = this.naive;
    const request = entries[index % Math.max(1, entries.length)];
    if (!request) return;
    this.queue.remove(request);
    this.naive.remove(request);
  }

  check(): void {
    const { queue, naive } = this;
    const { entries } = naive;
    expect(queue.count).toBe(entries.length);
    expect(queue.bytes).toBe(entries.length);
    const counts = Map.groupBy(entries, ({ callerId }) => callerId);
    const sizes = [...counts.values()].map((own) => own.length);
    expect(queue.callers).toBe(counts.size);
    expect(queue.most).toBe(Math.max(0, ...sizes));
    for (const [id, own] of counts) expect(queue.countOf(id)).toBe(own.length);
    const { largest } = queue;
    if (entries.length === 0) expect(largest).toBeUndefined();
    else {
      const own = counts.get(largest!.callerId)!;
      expect(own).toHaveLength(queue.most);
      const lowest = own.filter(({ priority }) => own.every((o) => o.priority <= priority));
      expect(largest).toBe(lowest.toSorted((a, b) => a.order - b.order).at(-1));
    }
  }

  private checkOvertaking(granted: Request): void {
    for (const priority of [HIGH, NORMAL, LOW]) {
      const other = this.naive.nextOf(priority);
      if (!other || other === granted) continue;
      const allowed = (priority - granted.priority) * HEAD_START_MS;
      expect(granted.arrivedAt, 'invariant 3').toBeLessThanOrEqual(other.arrivedAt + allowed);
    }
    // Who comes back is an extra grant; the model says when.
    if (this.somebodyCameBack) return;
    expect(granted.grants, 'invariant 3: turns').toBeLessThan(granted.place * granted.callers);
  }

  private countCallers(priority: number): void {
    const own = this.naive.entries.filter((entry) => entry.priority === priority);
    const callers = new Set(own.map(({ callerId }) => callerId)).size;
    for (const entry of own) entry.callers = Math.max(entry.callers, callers);
  }
}

const caller = fc.constantFrom('a', 'a', 'a', 'b', 'c', 'd');
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(caller, fc.nat(2)).map(
      ([id, p]) =>
        (w: World) =>
          void w.add(id, p),
    ),
  },
  { weight: 5, arbitrary: fc.constant((w: World) => void w.take()) },
  { weight: 2, arbitrary: fc.nat(50).map((i) => (w: World) => w.remove(i)) },
  { weight: 3, arbitrary: fc.nat(50).map((i) => (w: World) => w.comeBack(i)) },
  {
    weight: 2,
    arbitrary: fc.nat(8000).map((ms) => (w: World) => {
      w.now += ms;
    }),
  },
);

describe('the queue of a gate', () => {
  test('serves as its model does, and keeps its bounds (10,000 random histories)', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const world = new World();
        for (const act of steps) {
          act(world);
          world.check();
        }
        const planned = [...world.queue.inOrder()];
        const taken: Request[] = [];
        for (let next = world.take(); next; next = world.take()) taken.push(next);
        expect(taken, 'inOrder tells the order').toEqual(planned);
      }),
      { numRuns: 10_000 },
    );
  });

  test('a low request is served while high ones never end: within its head start and what waited before', () => {
    const world = new World();
    const low = world.add('patient', LOW);
    const afterwards: number[] = [];
    // One is served each 100 ms, and two high ones come.
    for (; low.flow; world.now += 100) {
      world.add('eager', HIGH);
      world.add('eager', HIGH);
      afterwards.push(world.take()!.arrivedAt);
    }
    afterwards.pop();
    expect(Math.max(...afterwards)).toBeLessThanOrEqual(2 * HEAD_START_MS);
    // Those of the first 20 s, 402 of them, then the low one.
    expect(afterwards).toHaveLength((2 * 2 * HEAD_START_MS) / 100 + 2);
  });

  test('a flood of one caller costs another nothing but every second turn', () => {
    const world = new World();
    for (let i = 0; i < 1000; i += 1) world.add('flood', NORMAL);
    for (let i = 0; i < 10; i += 1) world.add('other', NORMAL);
    const served = Array.from({ length: 20 }, () => world.take()!.callerId);
    expect(served.filter((id) => id === 'other')).toHaveLength(10);
  });

  test('between classes that came together the higher goes first; ties of age, too', () => {
    const world = new World();
    for (const priority of [LOW, NORMAL, HIGH]) world.add('a', priority);
    expect([world.take(), world.take(), world.take()].map((r) => r?.priority)).toEqual([0, 1, 2]);
    world.add('a', LOW);
    world.now += HEAD_START_MS;
    world.add('a', NORMAL);
    world.now += HEAD_START_MS;
    world.add('a', HIGH);
    expect([world.take(), world.take(), world.take()].map((r) => r?.priority)).toEqual([0, 1, 2]);
  });

  test('who comes back is next again', () => {
    const world = new World();
    for (const id of ['a', 'b', 'c', 'a', 'b']) world.add(id, NORMAL);
    const first = [world.take(), world.take(), world.take()];
    for (let i = 2; i >= 0; i -= 1) world.comeBack(i);
    expect([world.take(), world.take(), world.take()]).toEqual(first);
  });
});
