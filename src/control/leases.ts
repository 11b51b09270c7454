import type { Lease, NewLease } from '#bus/messages.ts';
import type { Clock } from '#lib/clock.ts';
import { Timers } from '#lib/timers.ts';
import { decideShares, decideSlots, type PlaneSeen, TURN_MS } from '#policies/lease.ts';
import {
  forgetSent,
  isRecalled,
  type Holding,
  isSentKnown,
  makeHolding,
  noteReleased,
  noteSent,
} from './holding.ts';
import type { LoadBook } from './load.ts';

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

/**
 * After a process has died, its slots are leased again. By then the kernel has closed its connections; this is
 * for the instances to see it and to drop what was running for them.
 */
export const RECLAIM_MS = 200;
/** Stands for processes that ended just before control came. */
const ENDED_BEFORE = '';

export interface SharedInstance {
  readonly id: string;
  readonly revision: string;
  /** Requests that it takes at once; more than 0. */
  readonly capacity: number;
  /** It came to be after control, so that nobody can hold anything of it. */
  readonly isNew: boolean;
}

/** Capacity 0: nothing is known of it yet but that somebody may be using it. */
interface Shared extends SharedInstance {
  readonly holdings: Map<string, Holding>;
}

/** What is remembered of a revision from one decision to the next. */
interface Sharing {
  readonly instances: Set<Shared>;
  /** Undefined: nobody waited at the last decision. */
  credits: ReadonlyMap<string, number> | undefined;
  /** What each data plane may have been using since then. */
  had: ReadonlyMap<string, number>;
  decidedAt: number;
}

export function createLeases(options: {
  clock: Clock;
  loads: Pick<LoadBook, 'at'>;
  send: (dataPlane: string, leases: readonly NewLease[]) => void;
}): Leases {
  const { clock, loads, send } = options;
  const shared = new Map<string, Shared>();
  const revisions = new Map<string, Sharing>();
  const alive = new Set<string>();
  const linked = new Set<string>();
  /** There before control, and not heard of yet. */
  let unheard: Set<string> | undefined;
  const contended = new Set<string>();
  let lastSequence = 0;
  const timers = new Timers(clock);
  let isTurnAwaited = false;

  function settleAll(): void {
    for (const revision of revisions.keys()) settle(revision);
  }

  /** Invariant 1: until the time is over, what it held counts. */
  function bury(dataPlane: string): void {
    alive.delete(dataPlane);
    linked.delete(dataPlane);
    timers.after(RECLAIM_MS, () => {
      for (const one of shared.values()) one.holdings.delete(dataPlane);
      unheard?.delete(dataPlane);
      settleAll();
    });
  }

  function settle(revision: string): void {
    const sharing = revisions.get(revision);
    if (!sharing) return;
    const planes = [...linked].filter((id) => alive.has(id));
    const open = [...sharing.instances].filter((one) => one.isNew || unheard?.size === 0);
    contended.delete(revision);
    if (planes.length === 0 || open.length === 0) {
      sharing.credits = undefined;
      return;
    }
    const seen = planes.map((id) => {
      const had = sharing.had.get(id) ?? 0;
      return { ...loads.at(id, revision), ...sumOf(open, id), had };
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
    sharing.had = new Map(planes.map((id) => [id, sumOf(open, id).held]));
    for (const [id, leases] of messages) if (leases.length > 0) send(id, leases);
    if (planes.length > 1 && seen.some(({ queued }) => queued > 0)) contend(revision);
  }

  function sumOf(open: readonly Shared[], id: string): Pick<PlaneSeen, 'held' | 'heldMs'> {
    const holdings = open.flatMap(({ holdings: all }) => all.get(id) ?? []);
    const newest = Math.max(...holdings.map(({ since }) => since));
    return {
      held: holdings.reduce((sum, { held }) => sum + held, 0),
      heldMs: clock.now() - newest,
    };
  }

  function decide(
    sharing: Sharing,
    open: readonly Shared[],
    planes: readonly string[],
    seen: readonly PlaneSeen[],
  ): number[][] {
    const instances = open.map((one) => {
      const holdings = planes.map((id) => one.holdings.get(id));
      return {
        capacity: one.capacity - heldBy(one, (id) => !planes.includes(id)),
        held: holdings.map((holding) => holding?.held ?? 0),
        recalled: holdings.map((holding) => (holding ? holding.held - holding.sent : 0)),
      };
    });
    const capacity = instances.reduce((sum, one) => sum + Math.max(0, one.capacity), 0);
    const elapsed = clock.now() - sharing.decidedAt;
    const { credits } = sharing;
    const memory = credits && planes.map((id) => credits.get(id) ?? 0);
    const shares = decideShares(capacity, seen, memory, elapsed);
    sharing.credits = shares.memory && new Map(planes.map((id, at) => [id, shares.memory![at]!]));
    sharing.decidedAt = clock.now();
    return decideSlots(instances, shares.decision);
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
    lastSequence += 1;
    noteSent(holding, { slots, sequence: lastSequence }, clock.now());
    const lease = { instance: one.id, slots, sequence: lastSequence };
    return mustAnswer ? { ...lease, answer: true } : lease;
  }

  function noteTrade(revision: string, dataPlane: string): void {
    for (const { holdings } of revisions.get(revision)?.instances ?? []) {
      const holding = holdings.get(dataPlane);
      if (holding) holding.traded = true;
    }
  }

  function contend(revision: string): void {
    contended.add(revision);
    if (isTurnAwaited) return;
    isTurnAwaited = true;
    timers.after(TURN_MS, () => {
      isTurnAwaited = false;
      for (const each of Array.from(contended)) settle(each);
    });
  }

  function adopt(dataPlane: string, leases: readonly Lease[]): void {
    for (const one of shared.values()) one.holdings.delete(dataPlane);
    for (const lease of leases) {
      const { instance: id } = lease;
      const unknown = { id, revision: '', capacity: 0, isNew: false };
      const one = shared.get(id) ?? { ...unknown, holdings: new Map<string, Holding>() };
      lastSequence = Math.max(lastSequence, lease.sequence);
      shared.set(one.id, one);
      one.holdings.set(dataPlane, makeHolding(clock.now(), lease));
    }
    for (const one of shared.values()) {
      if (one.capacity === 0 && one.holdings.size === 0) shared.delete(one.id);
    }
  }

  function sharingOf(revision: string): Sharing {
    const known = revisions.get(revision);
    if (known) return known;
    const made = {
      instances: new Set<Shared>(),
      credits: undefined,
      had: new Map<string, number>(),
      decidedAt: clock.now(),
    };
    revisions.set(revision, made);
    return made;
  }

  return {
    onProcesses(ids) {
      if (!unheard) {
        unheard = new Set([...ids, ENDED_BEFORE]);
        bury(ENDED_BEFORE);
      }
      const listed = new Set(ids);
      for (const id of alive) if (!listed.has(id)) bury(id);
      for (const id of ids) alive.add(id);
      settleAll();
    },
    joined(dataPlane, leases) {
      linked.add(dataPlane);
      // Who is not listed any more is dead, and these its last words; who is not listed yet holds nothing.
      if (!alive.has(dataPlane)) return;
      adopt(dataPlane, leases);
      unheard?.delete(dataPlane);
      settleAll();
    },
    resend(dataPlane) {
      for (const { holdings } of shared.values()) {
        const holding = holdings.get(dataPlane);
        if (holding) forgetSent(holding);
      }
      settleAll();
    },
    left(dataPlane) {
      linked.delete(dataPlane);
    },
    begin(instance) {
      const { id, revision } = instance;
      const known = shared.get(id);
      if (known && known.capacity > 0) return;
      const one = { ...instance, holdings: known?.holdings ?? new Map<string, Holding>() };
      shared.set(id, one);
      sharingOf(revision).instances.add(one);
      settle(revision);
    },
    end(instance) {
      const one = shared.get(instance);
      shared.delete(instance);
      const sharing = one && revisions.get(one.revision);
      if (!sharing) return;
      sharing.instances.delete(one);
      if (sharing.instances.size === 0) {
        revisions.delete(one.revision);
        contended.delete(one.revision);
      } else settle(one.revision);
    },
    released(dataPlane, lease) {
      const one = shared.get(lease.instance);
      const holding = one?.holdings.get(dataPlane);
      if (!one || !holding) return;
      if (noteReleased(holding, lease)) noteTrade(one.revision, dataPlane);
      settle(one.revision);
    },
    demand: settle,
    close: () => timers.close(),
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

function heldBy({ holdings }: Shared, counts: (dataPlane: string) => boolean): number {
  let sum = 0;
  for (const [id, { held }] of holdings) if (counts(id)) sum += held;
  return sum;
}
