import {
  decideAdmission,
  decideFull,
  DISPLACE,
  FULL_BYTES,
  FULL_COUNT,
  GRANT,
  HOLD,
  mayReadOn,
} from '#policies/admission.ts';
import { pickLeastLoaded } from '#policies/balance.ts';
import { ConcurrencyMeter, type Means } from './concurrency-meter.ts';
import type { Party } from './parties.ts';
import { Queue } from './queue.ts';
import type { Queued } from './shares.ts';
import { type WakeEvents, Wakes } from './wakes.ts';

/**
 * The gate of one revision: its instances, and who waits for a slot of one (`queue.ts`), which is a place for one
 * request. A synchronous single writer: no method awaits, so JavaScript's one thread makes each of them atomic.
 *
 * Invariants (tests cite the numbers):
 *  1. Every admitted waiter ends in exactly one of granted, refused, cancelled.
 *  2. An instance's count rises only when a waiter that is still there is granted, or a slot is taken without a wait
 *     while nobody waits, and falls once for it.
 *  3. An instance never has more in flight than the concurrency, and a draining or suspended one gets no more.
 *  4. Nobody is admitted to wait beyond the limits, in requests and in bytes.
 *  5. While somebody waits, a wake is outstanding or no instance has room.
 *  6. While anybody waits, grants go in the order of the queue: first come first served within a caller and a
 *     class, callers in turn, classes by priority with aging. A full queue refuses the newcomer, or takes the
 *     place of the caller that has most for one that has less even with it: most requests, or most bytes.
 *  7. A draining instance is told drained once nothing of it is in flight, unless it has gone before or is kept
 *     after all; again only when control asks anew.
 *  8. Of an instance whose slots are leased no more are granted than the lease allows. `claimed` is what control may
 *     count on at most: it falls only when so many are neither leased nor in flight, and each fall is told once.
 *     While control cannot be told it does not fall: what was recalled and not given back is leased again.
 *  9. Asked to give way, it gives bytes of who has most of them, the newest first, until that is enough.
 */

/** One instance, as the gate sees it. Written by the gate alone. */
export interface GateInstance {
  /** Its place in the gate; -1: in none. */
  index: number;
  inFlight: number;
  draining: boolean;
  suspended: boolean;
  /** How many requests this gate may have there at once; OWN: as many as the instance takes. */
  leased: number;
  /** How many control counts as used from here, by what it was told last; OWN as above. */
  claimed: number;
}

export interface Waiter<I extends GateInstance> extends Queued<Waiter<I>> {
  /** Gate that it waits in; undefined: it does not wait. */
  waitsIn: Gate<I> | undefined;
  onGranted(instance: I): void;
  onRefused(reason: Refused): void;
}

/**
 * `displaced`: its place in a full queue went to a caller that has less. `crowded`: its bytes went to a queue that holds
 * less.
 */
export type Refused = 'failed' | 'removed' | 'displaced' | 'crowded';

export interface GateLimits {
  /** Requests that an instance takes at once; 0 = no limit. */
  readonly concurrency: number;
  readonly requests: number;
  readonly bytes: number;
}

export interface GateEvents<I extends GateInstance> extends WakeEvents {
  /** There is no instance: one that can be sent to at once though control has not said that it is ready. */
  onNobodyThere(): I | undefined;
  onDrained(instance: I): void;
  /** Nobody waits any more. */
  onQuiet(): void;
  /** What waits here holds more bytes, or fewer. */
  onWeighed(gate: Gate<I>): void;
  /** Of a leased instance only `instance.claimed` slots are used here from now on. */
  onReleased(instance: I): void;
  /** Uniform in [0, 1). */
  roll(): number;
}

const FIRST_SIZE = 8;
/** Shared by all gates without instances, which most are: their models sleep. */
const NO_INSTANCES = new Int32Array(0);
const UNUSABLE = -1;
/** All slots of the instance are this gate's: nobody else sends to it. */
export const OWN = -1;

export class Gate<I extends GateInstance> implements Party {
  inFlight = 0;
  /** Belongs to the heap of all parties. */
  place = -1;
  readonly meter: ConcurrencyMeter;
  private readonly events: GateEvents<I>;
  private limits: GateLimits;
  private instances: I[] = [];
  /** Mirror of the instances for the balancing policy; `UNUSABLE` for those that get nothing. */
  private loads = NO_INSTANCES;
  private readonly queue = new Queue<Waiter<I>>(() => this.events.onWeighed(this));
  private readonly wakes: Wakes;
  /** Its revision was deleted: nobody will be served. */
  private isRemoved = false;

  constructor(limits: GateLimits, events: GateEvents<I>) {
    this.limits = limits;
    this.events = events;
    this.meter = new ConcurrencyMeter(events.now());
    this.wakes = new Wakes(events);
  }

  get waiting(): number {
    return this.queue.count;
  }

  get bytes(): number {
    return this.queue.bytes;
  }

  mayReadOn(waiter: Waiter<I>): boolean {
    return mayReadOn(waiter.heldBytes, this.bytes, this.limits.bytes);
  }

  /** Whether an instance is there that may be sent to, with room or without. */
  get isWarm(): boolean {
    for (let i = 0; i < this.instances.length; i += 1) if (this.loads[i] !== UNUSABLE) return true;
    return false;
  }

  /** Requests that may be in flight at once, where there is a limit. */
  get capacity(): number {
    let capacity = 0;
    for (const { leased, draining, suspended } of this.instances) {
      if (!draining && !suspended) capacity += leased === OWN ? this.limits.concurrency : leased;
    }
    return capacity;
  }

  /** For how long an instance has been asked for that is not there yet, ms; undefined: there is one, or none was. */
  get startingMs(): number | undefined {
    return this.isWarm ? undefined : this.wakes.awaitedMs(this.waiting);
  }

  /** The last start of an instance has failed. */
  startFailed(): void {
    this.wakes.onStartFailed(this.waiting);
  }

  /** Those who wait, in the order in which they would be served if nobody else came. */
  inOrder(): Iterable<Waiter<I>> {
    return this.queue.inOrder();
  }

  /** Whether a request that comes now would be granted at once. */
  get hasRoom(): boolean {
    const { loads, instances, limits } = this;
    return (
      this.waiting === 0 && pickLeastLoaded(loads, instances.length, limits.concurrency, 0) >= 0
    );
  }

  /** GRANT: `onGranted` was called. HOLD: it waits. Anything else: it was never admitted. */
  enter(waiter: Waiter<I>, holdMs: number): number {
    const instance = this.pick() ?? this.rouse();
    const decision = decideAdmission(
      instance !== undefined,
      this.waiting,
      this.bytes,
      waiter.heldBytes,
      holdMs,
      this.limits,
    );
    if (decision === FULL_COUNT || decision === FULL_BYTES) return this.enterFull(waiter);
    if (decision === GRANT && instance) {
      this.queue.pass(waiter);
      this.grant(waiter, instance, waiter.arrivedAt);
    } else if (decision === HOLD) this.enqueue(waiter);
    return decision;
  }

  /** For what would rather not run than wait: a slot until `leave`. Undefined: none is free, or somebody waits. */
  take(): I | undefined {
    const instance = this.waiting === 0 ? this.pick() : undefined;
    if (instance) this.occupy(instance, this.events.now());
    return instance;
  }

  private enterFull(waiter: Waiter<I>): number {
    const { queue, limits } = this;
    const { callerId, heldBytes } = waiter;
    let place: Waiter<I> | undefined;
    if (queue.count >= limits.requests) {
      const mine = queue.countOf(callerId);
      const decision = decideFull(FULL_COUNT, mine, 1, queue.most, queue.callers);
      if (decision !== DISPLACE) return decision;
      place = queue.largest;
    }
    const missing = this.missingFor(heldBytes);
    if (place && missing <= place.counted)
      return this.displace([place], () => this.enqueue(waiter));
    return this.displaceBytes(callerId, heldBytes, () => this.enqueue(waiter));
  }

  /** How many bytes would have to go for so many more. */
  private missingFor(bytes: number): number {
    return this.bytes + bytes - this.limits.bytes;
  }

  /** What gives its bytes gives its place, too. */
  private displaceBytes(callerId: string, bytes: number, enter: () => void): number {
    const { queue } = this;
    const mine = queue.bytesOf(callerId);
    const decision = decideFull(FULL_BYTES, mine, bytes, queue.mostBytes, queue.callers);
    if (decision !== DISPLACE) return decision;
    const heaviest = queue.findHeaviest(this.missingFor(bytes), mine + bytes);
    return heaviest ? this.displace(heaviest, enter) : FULL_BYTES;
  }

  /** The newcomer is in before the others are told: being told, their connections may come with the next. */
  private displace(others: readonly Waiter<I>[], enter: () => void): number {
    enter();
    for (const other of others) this.remove(other);
    for (const other of others) other.onRefused('displaced');
    return HOLD;
  }

  /** Nobody is told before all that have to go are out: being told, their connections may come with the next. */
  giveWay(bytes: number): void {
    const others: Waiter<I>[] = [];
    let left = bytes;
    for (let next = this.queue.heavy; next && left > 0; next = this.queue.heavy) {
      left -= next.counted;
      this.remove(next);
      others.push(next);
    }
    for (const other of others) other.onRefused('crowded');
  }

  private enqueue(waiter: Waiter<I>): void {
    this.advanceMeter();
    waiter.waitsIn = this;
    this.queue.add(waiter);
    this.wakes.wakeIfDue(this.waiting);
  }

  /** Waits again, at its old place, after its instance could not be reached. */
  rejoin(waiter: Waiter<I>): void {
    if (this.isRemoved) {
      waiter.onRefused('removed');
      return;
    }
    this.advanceMeter();
    waiter.waitsIn = this;
    this.queue.addAgain(waiter);
    this.serve();
    this.wakes.wakeIfDue(this.waiting);
  }

  cancel(waiter: Waiter<I>): void {
    if (waiter.waitsIn === this) this.remove(waiter);
  }

  /** A waiter holds more. HOLD: it waits on. Anything else: that is too much, and was not counted. */
  grow(waiter: Waiter<I>, bytes: number): number {
    const grow = (): void => this.queue.grow(waiter, bytes);
    if (this.missingFor(bytes) > 0) return this.displaceBytes(waiter.callerId, bytes, grow);
    grow();
    return HOLD;
  }

  /** A granted request has ended, at `now`. */
  leave(instance: I, now = this.events.now()): void {
    this.meter.advance(now, this.inFlight, this.waiting);
    this.meter.end();
    instance.inFlight -= 1;
    this.inFlight -= 1;
    this.refresh(instance);
    if (instance.claimed > instance.leased) this.release(instance);
    const isDrained = instance.draining && instance.inFlight === 0;
    if (!isDrained) this.serve();
    else if (instance.index >= 0) this.events.onDrained(instance);
  }

  add(instance: I): void {
    this.enlist(instance);
    this.serve();
    this.wakes.wakeIfDue(this.waiting);
  }

  /** Whoever waits goes first, and is served by what control was asked for. */
  private rouse(): I | undefined {
    if (this.instances.length > 0 || this.waiting > 0) return undefined;
    const instance = this.events.onNobodyThere();
    if (instance) this.enlist(instance);
    return instance;
  }

  private enlist(instance: I): void {
    if (this.instances.length === this.loads.length) {
      const larger = new Int32Array(Math.max(FIRST_SIZE, this.loads.length * 2));
      larger.set(this.loads);
      this.loads = larger;
    }
    instance.index = this.instances.length;
    this.instances.push(instance);
    this.refresh(instance);
    this.wakes.onInstance();
  }

  /** No more grants to it; `onDrained` follows when it has nothing in flight. */
  drain(instance: I): void {
    if (instance.draining) return;
    instance.draining = true;
    this.refresh(instance);
    this.wakes.onInstance();
    if (instance.inFlight === 0) this.events.onDrained(instance);
    this.wakes.wakeIfDue(this.waiting);
  }

  /** It is not to end after all: what runs there goes on to count, and where slots are leased, they are leased anew. */
  keep(instance: I): void {
    instance.draining = false;
    if (instance.leased !== OWN) this.lease(instance, 0);
    this.refresh(instance);
    this.wakes.onInstance();
    this.serve();
  }

  /** What was said of a drained instance may have been lost: say it again. */
  drainAgain(instance: I): void {
    if (instance.draining && instance.inFlight === 0) this.events.onDrained(instance);
  }

  /** It has gone. What it had in flight ends by its connections' closing, each with `leave`. */
  lose(instance: I): void {
    const last = this.instances.pop();
    if (last && last !== instance) {
      this.instances[instance.index] = last;
      last.index = instance.index;
      this.refresh(last);
    }
    instance.index = -1;
    this.wakes.onInstance();
    this.wakes.wakeIfDue(this.waiting);
  }

  /** Unreachable for the moment: no grants until `resume`. */
  suspend(instance: I): void {
    instance.suspended = true;
    this.refresh(instance);
  }

  resume(instance: I): void {
    instance.suspended = false;
    this.refresh(instance);
    this.serve();
  }

  /** What runs there beyond `slots` goes on. When all that came together is said, `afterLeases` follows. */
  lease(instance: I, slots: number): void {
    instance.leased = slots;
    if (instance.claimed < slots) instance.claimed = slots;
    this.refresh(instance);
    this.release(instance);
  }

  /** In the place of what runs beyond a lease, idle slots of other instances are given back. */
  afterLeases(): void {
    let beyond = 0;
    for (const { leased, inFlight, draining } of this.instances) {
      if (leased !== OWN && !draining) beyond += Math.max(0, inFlight - leased);
    }
    if (beyond > 0) this.releaseIdle(beyond);
    this.serve();
  }

  /** Control has gone: what it counts as used here nobody else can get from it. */
  keepClaimed(instance: I): void {
    if (instance.leased === OWN) return;
    instance.leased = instance.claimed;
    this.refresh(instance);
    this.serve();
  }

  /** Whether it has instances that it shares with other gates. */
  get isLeased(): boolean {
    return this.instances.some((instance) => instance.leased !== OWN);
  }

  /** Slots of such instances that this gate may use. */
  get leasedSlots(): number {
    const usable = this.instances.filter(
      (instance) => instance.leased !== OWN && !instance.draining,
    );
    return usable.reduce((sum, { leased }) => sum + leased, 0);
  }

  change(limits: GateLimits): void {
    this.limits = limits;
    for (const instance of this.instances) this.refresh(instance);
    this.serve();
  }

  /** Nobody will be served: all who wait are told so. */
  refuseAll(reason: Refused): void {
    this.isRemoved ||= reason === 'removed';
    for (let waiter = this.queue.first; waiter; waiter = this.queue.first) {
      this.remove(waiter);
      waiter.onRefused(reason);
    }
  }

  /** Somebody came who does not want to wait: nobody waits, yet capacity is wanted. */
  poke(): void {
    this.wakes.poke(this.waiting);
  }

  /** The wake may have been lost (control was away): say again that somebody waits. */
  wakeAgain(): void {
    this.wakes.restart();
    this.wakes.wakeIfDue(this.waiting);
  }

  /** What was in flight and waited since `since`, ms: the last call, or later if nothing did in between. */
  takeMeans(since: number): Means {
    this.advanceMeter();
    return this.meter.take(since);
  }

  /** What is in flight and waits is about to change. */
  private advanceMeter(): number {
    const now = this.events.now();
    this.meter.advance(now, this.inFlight, this.waiting);
    return now;
  }

  private pick(): I | undefined {
    const index = pickLeastLoaded(
      this.loads,
      this.instances.length,
      this.limits.concurrency,
      this.events.roll(),
    );
    return index < 0 ? undefined : this.instances[index];
  }

  private grant(waiter: Waiter<I>, instance: I, now: number): void {
    this.occupy(instance, now);
    waiter.onGranted(instance);
  }

  private occupy(instance: I, now: number): void {
    this.meter.advance(now, this.inFlight, this.waiting);
    instance.inFlight += 1;
    this.inFlight += 1;
    this.refresh(instance);
  }

  private serve(): void {
    while (this.waiting > 0) {
      const instance = this.pick();
      const waiter = this.queue.first;
      if (!instance || !waiter) return;
      const now = this.advanceMeter();
      waiter.waitsIn = undefined;
      this.queue.take(waiter);
      if (this.waiting === 0) this.wakes.restart();
      this.grant(waiter, instance, now);
      if (this.waiting === 0) this.events.onQuiet();
    }
  }

  private remove(waiter: Waiter<I>): void {
    this.advanceMeter();
    waiter.waitsIn = undefined;
    this.queue.remove(waiter);
    if (this.waiting > 0) return;
    this.wakes.restart();
    this.events.onQuiet();
  }

  private refresh(instance: I): void {
    if (instance.index < 0) return;
    this.loads[instance.index] =
      instance.draining || instance.suspended ? UNUSABLE : this.loadOf(instance);
  }

  /** What is leased to others counts as taken. */
  private loadOf({ inFlight, leased }: I): number {
    return leased === OWN ? inFlight : inFlight + this.limits.concurrency - leased;
  }

  private release(instance: I): void {
    const claimed = Math.max(instance.inFlight, instance.leased);
    if (claimed >= instance.claimed) return;
    instance.claimed = claimed;
    if (instance.index >= 0) this.events.onReleased(instance);
  }

  private releaseIdle(count: number): void {
    let left = count;
    for (const instance of this.instances) {
      const idle = Math.min(left, instance.leased - instance.inFlight);
      if (idle <= 0) continue;
      left -= idle;
      instance.leased -= idle;
      this.refresh(instance);
      this.release(instance);
    }
  }
}
