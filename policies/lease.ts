/**
 * How the slots of a revision's instances are shared out to several data planes: in proportion to the requests
 * that wait or run at each. What does not come out even, such as the only slot of an instance, goes round: each
 * data plane has a credit, the slot-milliseconds that it was due and did not have, and the largest is next. This
 * is deficit round robin (Shreedhar and Varghese, SIGCOMM 1995) with time in the place of bytes, as stride
 * scheduling has it (Waldspurger and Weihl, MIT/LCS/TM-528, 1995): requests of one revision take equally long on
 * the average, so shares of time are shares of grants.
 */

/** A data plane, as the sharing sees it. */
export interface PlaneSeen {
  readonly queued: number;
  readonly inFlight: number;
  /** Slots that it may be using now, recalled ones included. */
  readonly held: number;
  /** The same, since the last decision until now. */
  readonly had: number;
  /** Since it got the newest of them. */
  readonly heldMs: number;
}

/** An instance whose slots are shared out, and who may be using how many of them. */
export interface SharedSeen {
  readonly capacity: number;
  /** One for each data plane. */
  readonly held: readonly number[];
  /** Of these, how many are recalled already. */
  readonly recalled: readonly number[];
}

/**
 * Who waits keeps a slot for this long before it goes to another who waits. Long beside the two messages that a
 * handover takes on one machine, short beside what a person notices.
 */
export const TURN_MS = 10;
/** Capacity is moved when it is one such part of the whole: small ones slot by slot, large ones in batches. */
const PARTS = 16;
/**
 * What is owed is due within this: one long request must not keep those who wait where it ran from their turns for
 * minutes. So of requests that run for longer than this times the share, a turn is charged with no more.
 */
const CREDIT_LIMIT_MS = 20_000;
/** Sums of fractions that should be whole are, within this. */
const EPSILON = 1e-9;

/**
 * How many slots of each instance each data plane shall have: `decideShares`, then `decideSlots`.
 *
 * @param memory of the last decision, and `elapsedMs` since then: see `decideShares`.
 * @returns one list for each instance, with one number for each data plane.
 */
export function decideLeases(
  instances: readonly SharedSeen[],
  planes: readonly PlaneSeen[],
  memory: readonly number[] | undefined,
  elapsedMs: number,
): { decision: number[][]; memory: number[] | undefined } {
  const capacity = sum(instances.map((one) => Math.max(0, one.capacity)));
  const shares = decideShares(capacity, planes, memory, elapsedMs);
  return { decision: decideSlots(instances, shares.decision), memory: shares.memory };
}

/**
 * How many slots each data plane shall have; in all as many as there are.
 *
 * @param capacity slots of all instances that can be shared out; 0 or less: all keep what they have.
 * @param memory of the last decision: credits, one for each data plane; they add up to no more than 0 and who waits
 *   for nothing has none. Undefined when nobody waited then: the time since is charged to nobody.
 * @param elapsedMs since the last decision.
 */
export function decideShares(
  capacity: number,
  planes: readonly PlaneSeen[],
  memory: readonly number[] | undefined,
  elapsedMs: number,
): { decision: number[]; memory: number[] | undefined } {
  const due = dueOf(capacity, planes);
  if (planes.every(({ queued }) => queued === 0)) {
    return { decision: fill(capacity, planes, due), memory: undefined };
  }
  const before = planes.map((_, at) => memory?.[at] ?? 0);
  // What there is rests with a process that died: nothing can be shared out, and nobody is charged for that.
  if (capacity <= 0) return { decision: planes.map(({ held }) => held), memory: before };
  const credits = memory ? charge(capacity, planes, due, before, elapsedMs) : before;
  const shares = makeWhole(capacity, planes, due, credits);
  const keep = !isWorthMoving(capacity, planes, shares);
  return { decision: keep ? planes.map(({ held }) => held) : shares, memory: credits };
}

/** In proportion to what waits and runs; when that is less than there is, the rest is spread evenly. */
function dueOf(capacity: number, planes: readonly PlaneSeen[]): number[] {
  const demands = planes.map(({ queued, inFlight }) => queued + inFlight);
  const total = sum(demands);
  if (total >= capacity) return demands.map((demand) => (capacity * demand) / total);
  return demands.map((demand) => demand + (capacity - total) / planes.length);
}

/** Nobody waits: nothing is recalled, and what is free goes to whoever is furthest from what is due. */
function fill(capacity: number, planes: readonly PlaneSeen[], due: readonly number[]): number[] {
  const shares = planes.map(({ held }) => held);
  for (let free = capacity - sum(shares); free > 0; free -= 1) {
    let neediest = 0;
    for (let at = 1; at < shares.length; at += 1) {
      if (due[at]! - shares[at]! > due[neediest]! - shares[neediest]!) neediest = at;
    }
    shares[neediest]! += 1;
  }
  return shares;
}

/** A time in which slots went from one to another and nobody had them is charged to nobody. */
function charge(
  capacity: number,
  planes: readonly PlaneSeen[],
  due: readonly number[],
  memory: readonly number[],
  elapsedMs: number,
): number[] {
  const used = sum(planes.map(({ had }) => had)) / capacity;
  const credits = planes.map(({ had, queued }, at) => {
    const credit = memory[at]! + (due[at]! * used - had) * elapsedMs;
    const limit = due[at]! * CREDIT_LIMIT_MS;
    return Math.max(0 - limit, Math.min(queued > 0 ? limit : 0, credit));
  });
  return forgive(credits);
}

/** What was forgiven to one is not owed to the others any more: credits add up to no more than 0. */
function forgive(credits: readonly number[]): number[] {
  const excess = sum(credits);
  if (excess <= 0) return [...credits];
  const owed = sum(credits.filter((credit) => credit > 0));
  return credits.map((credit) => (credit > 0 ? (credit * (owed - excess)) / owed : credit));
}

function makeWhole(
  capacity: number,
  planes: readonly PlaneSeen[],
  due: readonly number[],
  credits: readonly number[],
): number[] {
  const shares = due.map((each) => Math.floor(each + EPSILON));
  const rest = capacity - sum(shares);
  const order = planes.map((_, at) => at);
  order.sort((a, b) => {
    const [one, other] = [planes[a]!, planes[b]!];
    return (
      Number(other.queued > 0) - Number(one.queued > 0) ||
      Number(isInTurn(other, shares[b]!)) - Number(isInTurn(one, shares[a]!)) ||
      credits[b]! - credits[a]! ||
      other.held - one.held ||
      due[b]! - shares[b]! - (due[a]! - shares[a]!)
    );
  });
  for (const at of order.slice(0, rest)) shares[at]! += 1;
  return shares;
}

/** Has one of the slots that go round, and has not had it for long. */
function isInTurn({ held, heldMs }: PlaneSeen, share: number): boolean {
  return held > share && heldMs < TURN_MS;
}

function isWorthMoving(
  capacity: number,
  planes: readonly PlaneSeen[],
  shares: readonly number[],
): boolean {
  if (sum(planes.map(({ held }) => held)) < capacity) return true;
  const least = Math.max(1, Math.floor(capacity / PARTS));
  return planes.some(({ queued, held }, at) => {
    const gain = shares[at]! - held;
    return queued > 0 && gain > 0 && (gain >= least || held === 0);
  });
}

/**
 * How many slots of each instance each data plane shall have, so that it has its share and as little as possible
 * moves. What is taken away is what is on its way back already, then from where the data plane has most.
 *
 * @returns one list for each instance, with one number for each data plane.
 */
export function decideSlots(
  instances: readonly SharedSeen[],
  shares: readonly number[],
): number[][] {
  const slots = instances.map(({ held }) => [...held]);
  for (const [plane, share] of shares.entries()) {
    let excess = sum(slots.map((row) => row[plane]!)) - share;
    const order = instances.map((_, at) => at);
    order.sort(
      (a, b) =>
        instances[b]!.recalled[plane]! - instances[a]!.recalled[plane]! ||
        slots[b]![plane]! - slots[a]![plane]!,
    );
    for (const at of order) {
      const taken = Math.min(Math.max(0, excess), slots[at]![plane]!);
      slots[at]![plane]! -= taken;
      excess -= taken;
    }
  }
  for (const [plane, share] of shares.entries()) {
    let lack = share - sum(slots.map((row) => row[plane]!));
    for (const [at, { capacity }] of instances.entries()) {
      const given = Math.max(0, Math.min(lack, capacity - sum(slots[at]!)));
      slots[at]![plane]! += given;
      lack -= given;
    }
  }
  return slots;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
