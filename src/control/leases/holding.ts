import type { Lease } from '#bus/messages.ts';

/**
 * The slots of one instance at one data plane, as control may count on them. Between the sending of a lease and
 * the answer to it, the data plane may know of it or not.
 *
 * Invariant: `held` is never less than what the data plane has leased or in flight: it counts each lease from
 * the moment it is sent, and falls only by the data plane's word on what it has heard of.
 */
export interface Holding {
  held: number;
  /** The lease sent last; `UNKNOWN`: it may be lost. */
  sent: number;
  sequence: number;
  /** When `held` rose last. */
  since: number;
  /** Something else was given back in the place of what is recalled. */
  traded: boolean;
  /** Leases that were not answered and that allow more than all after them; the oldest first. */
  open: { readonly sequence: number; readonly slots: number }[];
}

const UNKNOWN = -1;

/** `lease`: what a data plane says of itself on a new link; what was sent over the one before it is void. */
export function makeHolding(now: number, lease?: Lease): Holding {
  const { slots = 0, sequence = 0 } = lease ?? {};
  return { held: slots, sent: lease ? UNKNOWN : 0, sequence, since: now, traded: false, open: [] };
}

/** A lease is on its way. */
export function noteSent(
  holding: Holding,
  { slots, sequence }: Omit<Lease, 'instance'>,
  now: number,
): void {
  holding.sequence = sequence;
  holding.sent = slots;
  holding.traded = false;
  holding.open = holding.open.filter((lease) => lease.slots > slots);
  holding.open.push({ sequence, slots });
  if (slots > holding.held) {
    holding.held = slots;
    holding.since = now;
  }
}

/** What was sent may be lost; `held` counts it until the data plane has answered the next lease. */
export function forgetSent(holding: Holding): void {
  holding.sent = UNKNOWN;
}

export function isSentKnown({ sent }: Holding): boolean {
  return sent !== UNKNOWN;
}

/**
 * It uses no more than `slots` until it hears of a lease after `sequence`.
 *
 * @returns whether it gave back more than was asked for.
 */
export function noteReleased(holding: Holding, { slots, sequence }: Lease): boolean {
  holding.open = holding.open.filter((lease) => lease.sequence > sequence);
  holding.held = holding.open.reduce((most, lease) => Math.max(most, lease.slots), slots);
  if (sequence !== holding.sequence || holding.sent <= slots) return false;
  holding.sent = slots;
  return true;
}

/**
 * A lease of so many would undo a recall that is not answered yet. Its answer is waited for: who wants the slot may
 * seem to want it no more for the moment between two requests, and would never get it.
 */
export function isRecalled({ held, sent, traded }: Holding, slots: number): boolean {
  return !traded && sent !== UNKNOWN && sent < slots && slots <= held;
}
