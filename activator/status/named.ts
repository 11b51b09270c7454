import type { RevisionWaits } from '#bus/messages.ts';
import type { Gate, Waiter } from '../gate/gate.ts';
import type { RevisionRoute } from '../routes.ts';
import type { InstanceRoute } from '../upstream/instance-route.ts';

/** Looking at a queue costs a step for each that waits: places are looked up anew after so long, for all at once. */
const LOOK_EVERY_MS = 250;
/** What became of a request that somebody asked for is known for so long: those who ask ask again by then. */
const KEPT_MS = 2000;
const MAX_KEPT = 1000;

export type Outcome = 'granted' | 'refused';

/** A held request that its caller has named. */
interface Named {
  readonly route: RevisionRoute;
  readonly waiter: Waiter<InstanceRoute>;
  /** Somebody wants to know what becomes of it. */
  isAsked: boolean;
}

/** The named requests of one queue, and where they stood when that was looked up last. */
interface NamedQueue {
  readonly waiters: Set<Waiter<InstanceRoute>>;
  readonly ahead: Map<Waiter<InstanceRoute>, number>;
  at: number;
}

/**
 * Held requests by their names.
 *
 * Invariants:
 *  1. A name is known exactly while its request is held, and the last that uses it has it.
 *  2. A queue is kept exactly while one who waits there has a name.
 *  3. How a request ended is known for `KEPT_MS`, only if somebody had asked, and of at most `MAX_KEPT`.
 */
export class NamedRequests {
  private readonly named = new Map<string, Named>();
  private readonly queues = new Map<Gate<InstanceRoute>, NamedQueue>();
  private readonly ended = new Map<string, { readonly outcome: Outcome; readonly at: number }>();

  add(key: string, route: RevisionRoute, waiter: Waiter<InstanceRoute>): void {
    this.drop(key);
    this.ended.delete(key);
    this.named.set(key, { route, waiter, isAsked: false });
    const queue = this.queues.get(route.gate) ?? { waiters: new Set(), ahead: new Map(), at: 0 };
    queue.waiters.add(waiter);
    this.queues.set(route.gate, queue);
  }

  /** False: it had lost its name to another. */
  remove(key: string, waiter: Waiter<InstanceRoute>, outcome: Outcome, now: number): boolean {
    const known = this.named.get(key);
    if (known?.waiter !== waiter) return false;
    this.drop(key);
    if (known.isAsked) this.keep(key, outcome, now);
    return true;
  }

  /** Where it waits; undefined: nowhere. */
  routeOf(key: string): RevisionRoute | undefined {
    return this.named.get(key)?.route;
  }

  /** What is known of it, for an answer. */
  ask(key: string, now: number): Pick<RevisionWaits, 'ahead' | 'ended'> {
    const known = this.named.get(key);
    if (known) {
      known.isAsked = true;
      return known.waiter.waitsIn ? { ahead: this.aheadOf(known, now) } : {};
    }
    const ended = this.ended.get(key);
    return ended && now - ended.at < KEPT_MS ? { ended: ended.outcome } : {};
  }

  private aheadOf({ route, waiter }: Named, now: number): number {
    const { gate } = route;
    const queue = this.queues.get(gate);
    if (!queue) return 0;
    if (!queue.ahead.has(waiter) || now - queue.at >= LOOK_EVERY_MS) lookUp(gate, queue, now);
    return Math.min(queue.ahead.get(waiter) ?? 0, Math.max(0, gate.waiting - 1));
  }

  private drop(key: string): void {
    const known = this.named.get(key);
    if (!known) return;
    this.named.delete(key);
    const { gate } = known.route;
    const queue = this.queues.get(gate);
    queue?.waiters.delete(known.waiter);
    queue?.ahead.delete(known.waiter);
    if (queue?.waiters.size === 0) this.queues.delete(gate);
  }

  private keep(key: string, outcome: Outcome, now: number): void {
    this.ended.delete(key);
    this.ended.set(key, { outcome, at: now });
    for (const [oldest, { at }] of this.ended) {
      if (this.ended.size <= MAX_KEPT && now - at < KEPT_MS) break;
      this.ended.delete(oldest);
    }
  }
}

function lookUp(gate: Gate<InstanceRoute>, queue: NamedQueue, now: number): void {
  queue.at = now;
  queue.ahead.clear();
  let ahead = 0;
  for (const waiter of gate.inOrder()) {
    if (queue.waiters.has(waiter)) queue.ahead.set(waiter, ahead);
    if (queue.ahead.size === queue.waiters.size) return;
    ahead += 1;
  }
}
