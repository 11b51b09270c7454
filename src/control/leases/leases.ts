import type { Lease, NewLease } from '#bus/messages.ts';
import type { Clock } from '#lib/clock.ts';
import { Timers } from '#lib/timers.ts';
import { decideLeases, type PlaneSeen, TURN_MS } from '#policies/lease.ts';
import { isRecalled, isSentKnown, makeHolding, noteSent } from './holding.ts';
import { createLeaseBook, type Shared, type SharedInstance, type Sharing } from './lease-book.ts';
import { createLeaseProcesses } from './lease-processes.ts';
import { heldBy, makeSharedSeen, sumOf } from './lease-seen.ts';
import type { LoadBook } from '../load.ts';

/**
 * Shares the slots of instances out to several data planes.
 *
 * Invariants:
 * 1. What data planes may be using of an instance is never more than its concurrency. A slot counts as used from
 *    the moment that its lease is sent until the data plane's word (`released`, or a hello without it), or until
 *    its process is dead for `RECLAIM_MS`. A link that broke frees nothing: the process may live on, and serve.
 * 2. Of an instance that was there before control, nothing is leased until each process that was there before
 *    control, too, has said what it holds, or is dead for `RECLAIM_MS`. What is held stays untouched.
 * 3. Only processes that live and have a link get leases, and only when the number differs from the last, or when
 *    the last may be lost.
 */
export interface Leases {
  /** The data planes whose processes live. The first call names all that were there before control. */
  onProcesses(alive: readonly string[]): void;
  /** It has a new link; `leases`: what it may be using. */
  joined(dataPlane: string, leases: readonly Lease[]): void;
  /** Of what was sent over its link something is missing. */
  resend(dataPlane: string): void;
  /** Its link ended. */
  left(dataPlane: string): void;
  /** It may be sent to, from now on or again. */
  begin(instance: SharedInstance): void;
  /** Nothing will be sent to it any more. */
  end(instance: string): void;
  released(dataPlane: string, lease: Lease): void;
  /** More or less waits for it somewhere, by the load book. */
  demand(revision: string): void;
  close(): void;
}

export function createLeases(options: {
  clock: Clock;
  loads: Pick<LoadBook, 'at'>;
  send: (dataPlane: string, leases: readonly NewLease[]) => void;
}): Leases {
  const { clock, loads, send } = options;
  const timers = new Timers(clock);
  const book = createLeaseBook(clock);
  const turns = createTurns(timers, settle);
  const processes = createLeaseProcesses({
    timers,
    onDead(dataPlane) {
      book.forget(dataPlane);
      settleAll();
    },
  });

  function settleAll(): void {
    for (const revision of book.revisions()) settle(revision);
  }

  function settle(revision: string): void {
    turns.over(revision);
    const sharing = book.sharing(revision);
    if (!sharing) return;
    const planes = processes.reachable();
    const open = [...sharing.instances].filter((one) => one.isNew || processes.allHeard());
    if (planes.length === 0 || open.length === 0) {
      sharing.credits = undefined;
      return;
    }
    const seen = planes.map((id) => {
      const had = sharing.had.get(id) ?? 0;
      return { ...loads.at(id, revision), ...sumOf(open, id, clock.now()), had };
    });
    const wanted = decide(sharing, open, planes, seen);
    const order = orderByCredit(planes, sharing.credits);
    const someoneHasNone = seen.some(({ queued, held }) => queued > 0 && held === 0);
    const messages = new Map(planes.map((id): [string, NewLease[]] => [id, []]));
    for (const [at, one] of open.entries()) {
      for (const plane of order) {
        const id = planes[plane]!;
        const lease = carryOut(one, id, wanted[at]![plane]!, someoneHasNone);
        if (lease) messages.get(id)?.push(lease);
      }
    }
    sharing.had = new Map(planes.map((id) => [id, sumOf(open, id, clock.now()).held]));
    for (const [id, leases] of messages) if (leases.length > 0) send(id, leases);
    if (planes.length > 1 && seen.some(({ queued }) => queued > 0)) turns.begin(revision);
  }

  /** How many slots of each of `open` each of `planes` shall have; what is to be remembered goes into `sharing`. */
  function decide(
    sharing: Sharing,
    open: readonly Shared[],
    planes: readonly string[],
    seen: readonly PlaneSeen[],
  ): number[][] {
    const { credits, decidedAt } = sharing;
    const before = credits && planes.map((id) => credits.get(id) ?? 0);
    const elapsedMs = clock.now() - decidedAt;
    const instances = makeSharedSeen(open, planes);
    const { decision, memory } = decideLeases(instances, seen, before, elapsedMs);
    sharing.credits = memory && new Map(planes.map((id, at) => [id, memory[at]!]));
    sharing.decidedAt = clock.now();
    return decision;
  }

  /** What is free is leased, and what is not comes with the word of those who shall give it back. `keepRecalls`: see `isRecalled`. */
  function carryOut(
    one: Shared,
    dataPlane: string,
    wanted: number,
    keepRecalls: boolean,
  ): NewLease | undefined {
    const holding = one.holdings.get(dataPlane) ?? makeHolding(clock.now());
    const free = one.capacity - heldBy(one, () => true);
    const slots = Math.min(wanted, holding.held + Math.max(0, free));
    if (slots === holding.sent || (keepRecalls && isRecalled(holding, slots))) return undefined;
    const mustAnswer = !isSentKnown(holding);
    one.holdings.set(dataPlane, holding);
    const sequence = book.nextSequence();
    noteSent(holding, { slots, sequence }, clock.now());
    const lease = { instance: one.id, slots, sequence };
    return mustAnswer ? { ...lease, answer: true } : lease;
  }

  return {
    onProcesses(alive) {
      processes.list(alive);
      settleAll();
    },
    joined(dataPlane, leases) {
      if (!processes.joined(dataPlane)) return;
      book.adopt(dataPlane, leases);
      settleAll();
    },
    resend(dataPlane) {
      book.doubt(dataPlane);
      settleAll();
    },
    left: (dataPlane) => processes.left(dataPlane),
    begin(instance) {
      if (book.begin(instance)) settle(instance.revision);
    },
    end(instance) {
      const revision = book.end(instance);
      if (revision !== undefined) settle(revision);
    },
    released(dataPlane, lease) {
      const revision = book.released(dataPlane, lease);
      if (revision !== undefined) settle(revision);
    },
    demand: settle,
    close: () => timers.close(),
  };
}

/** Where several wait there is a decision after each turn, also when nothing is reported. */
function createTurns(
  timers: Timers,
  settle: (revision: string) => void,
): { begin(revision: string): void; over(revision: string): void } {
  const contended = new Set<string>();
  let isTurnAwaited = false;
  return {
    begin(revision) {
      contended.add(revision);
      if (isTurnAwaited) return;
      isTurnAwaited = true;
      timers.after(TURN_MS, () => {
        isTurnAwaited = false;
        for (const each of Array.from(contended)) settle(each);
      });
    },
    over(revision) {
      contended.delete(revision);
    },
  };
}

/** Of what is free the one that is owed most gets the first. Positions in `planes`. */
function orderByCredit(
  planes: readonly string[],
  credits: ReadonlyMap<string, number> | undefined,
): number[] {
  const owed = planes.map((id) => credits?.get(id) ?? 0);
  return [...planes.keys()].toSorted((a, b) => owed[b]! - owed[a]!);
}
