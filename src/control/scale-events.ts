import { partsOfRevisionKey } from '#domain/names.ts';
import type { Actor } from '#domain/records.ts';
import type { NewEvent } from './journal.ts';

const AUTOSCALER: Actor = { id: 'system:autoscaler', role: 'admin' };

export function makeScaleEvent(
  revision: string,
  why: string,
  data: Record<string, unknown>,
  at: number,
): NewEvent {
  return {
    ...partsOfRevisionKey(revision),
    at,
    type: 'ScaleDecided',
    why,
    actor: AUTOSCALER,
    data,
  };
}

export function makeWaitingEvent(revision: string, why: string, at: number): NewEvent {
  return { ...partsOfRevisionKey(revision), at, type: 'WaitingForMemory', why, actor: AUTOSCALER };
}
