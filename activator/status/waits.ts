import type { RevisionWaits } from '#bus/messages.ts';
import { decideExpectedWait } from '#policies/wait.ts';
import type { RevisionRoute } from '../routes.ts';

/** Continuing a parked instance takes about a millisecond, and tens when its memory was paged out. */
const UNPARK_SECONDS = 0.05;
/** What is told where nothing is measured that would tell. */
const UNKNOWN_SECONDS = 1;

/** Of a revision that is not known. */
export const NOTHING_WAITS: RevisionWaits = {
  waiting: 0,
  inFlight: 0,
  warm: false,
  hasRoom: false,
  capacity: 0,
};

export function waitsOf({ gate }: RevisionRoute): RevisionWaits {
  const { startingMs, meter } = gate;
  const { serviceMs } = meter;
  return {
    waiting: gate.waiting,
    inFlight: gate.inFlight,
    warm: gate.isWarm,
    hasRoom: gate.hasRoom,
    capacity: gate.capacity,
    ...(startingMs !== undefined && { startingSeconds: startingMs / 1000 }),
    ...(serviceMs !== undefined && { serviceSeconds: serviceMs / 1000 }),
  };
}

/** Of several data planes: what waits in all queues, and what they share. */
export function addWaits(told: readonly RevisionWaits[]): RevisionWaits {
  const starting = told.flatMap(({ startingSeconds }) => startingSeconds ?? []);
  const service = told.flatMap(({ serviceSeconds }) => serviceSeconds ?? []);
  return {
    waiting: sum(told.map(({ waiting }) => waiting)),
    inFlight: sum(told.map(({ inFlight }) => inFlight)),
    warm: told.some(({ warm }) => warm),
    hasRoom: told.some(({ hasRoom }) => hasRoom) && told.every(({ waiting }) => waiting === 0),
    ...(starting.length > 0 && { startingSeconds: Math.max(...starting) }),
    capacity: sum(told.map(({ capacity }) => capacity)),
    ...(service.length > 0 && { serviceSeconds: sum(service) / service.length }),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

/** How long a request waits that has `ahead` others before it, seconds; undefined: nothing tells. */
export function expectedWait(
  { routing, parked }: RevisionRoute,
  waits: RevisionWaits,
  ahead: number,
): number | undefined {
  const { warm, hasRoom, startingSeconds = 0, serviceSeconds } = waits;
  const { concurrency } = routing;
  // Slots that go from one data plane to another are nobody's for a moment.
  const capacity = waits.capacity || concurrency;
  if (warm && hasRoom) return 0;
  return decideExpectedWait({
    warm,
    startSeconds: parked.length > 0 ? UNPARK_SECONDS : routing.coldStartSeconds,
    startingSeconds,
    ahead,
    secondsPerGrant: serviceSeconds === undefined ? undefined : serviceSeconds / capacity,
    concurrency,
  });
}

/** When a request that is not served now is worth sending again, whole seconds. */
export function retryAfterOf(route: RevisionRoute): number {
  const waits = waitsOf(route);
  // Where the pace of the queue is not known, what its first one waits for is.
  const seconds =
    expectedWait(route, waits, waits.waiting) ?? expectedWait(route, waits, 0) ?? UNKNOWN_SECONDS;
  return Math.max(1, Math.ceil(seconds));
}
