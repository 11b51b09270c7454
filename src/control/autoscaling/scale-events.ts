import { partsOfRevisionKey } from '#domain/names.ts';
import type { Actor } from '#domain/records.ts';
import type { Desired } from '#policies/desired.ts';
import type { Active, Told } from './active.ts';
import type { NewEvent } from '../records/journal.ts';
import type { Seen } from './seen.ts';

const AUTOSCALER: Actor = { id: 'system:autoscaler', role: 'admin' };

/** Finer differences mean nothing, and nobody can read them. */
const DECIMALS = 3;

/**
 * Going back and forth between load and keep-alive is one thing: it is in use. Not worth an event each. But that no
 * signal has a value is.
 */
export function classOf(reason: string): string {
  if (reason === 'load:blind') return 'blind';
  return reason.startsWith('load:') || reason === 'keep-alive' ? 'use' : reason;
}

/** What is told of a decision, once it is known how many instances there is memory for. */
export function makeTold(
  { granted, waitingSince }: Pick<Active, 'granted' | 'waitingSince'>,
  { parked, reason }: Pick<Desired, 'parked' | 'reason'>,
): Told {
  return {
    desired: granted,
    parked,
    reason: waitingSince === undefined ? reason : 'ceiling:memory',
  };
}

/** Why nothing runs is of interest when it stops running, not for each reason that comes after. */
export function isWorthTelling(before: Told, told: Told): boolean {
  if (before.desired !== told.desired || before.parked !== told.parked) return true;
  return told.desired > 0 && classOf(before.reason) !== classOf(told.reason);
}

export function makeScaleEvent(
  revision: string,
  why: string,
  { seen, decision }: { seen: Seen; decision: Record<string, unknown> },
  at: number,
): NewEvent {
  return {
    ...partsOfRevisionKey(revision),
    at,
    type: 'ScaleDecided',
    why,
    actor: AUTOSCALER,
    data: { seen: roundAll(seen), decision },
  };
}

function roundAll(seen: Seen): Record<string, number> {
  const entries = Object.entries(seen);
  return Object.fromEntries(
    entries.map(([key, value]: [string, number]) => [key, Number(value.toFixed(DECIMALS))]),
  );
}

/** What signals would decide that do not steer. */
export function makeTrialEvent(
  revision: string,
  { count, why }: { count: number; why: string },
  at: number,
): NewEvent {
  return {
    ...partsOfRevisionKey(revision),
    at,
    type: 'ScaleDryRun',
    why: `dry run: ${why}`,
    actor: AUTOSCALER,
    data: { decision: { desired: count } },
  };
}

export function makeWaitingEvent(revision: string, why: string, at: number): NewEvent {
  return { ...partsOfRevisionKey(revision), at, type: 'WaitingForMemory', why, actor: AUTOSCALER };
}
