import { partsOfRevisionKey } from '#domain/names.ts';
import type { Actor } from '#domain/records.ts';
import type { NewEvent } from './journal.ts';
import type { Seen } from './seen.ts';

const AUTOSCALER: Actor = { id: 'system:autoscaler', role: 'admin' };

/** Finer differences mean nothing, and nobody can read them. */
const DECIMALS = 3;

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

export function makeWaitingEvent(revision: string, why: string, at: number): NewEvent {
  return { ...partsOfRevisionKey(revision), at, type: 'WaitingForMemory', why, actor: AUTOSCALER };
}
