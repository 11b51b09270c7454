import { formatDuration } from '#domain/units.ts';
import { formatSize } from '#domain/format-size.ts';
import { formatCount } from '../words.ts';
import { type Holder, lookAt } from './holders.ts';
import { type Claim, countFitting, isOverdue, passLine } from './line.ts';
import { PATIENCE_MS } from './turns.ts';
import { chooseIdle, chooseInUse, nextChoice, type Victim } from './victims.ts';

export interface PlacementSeen {
  readonly budget: number;
  /** Reserved by all instances that run or are ordered, those on their way out included. */
  readonly used: number;
  /** The part of `used` that processes hold which stand by for any model. */
  readonly standby?: number;
  readonly asker: Claim;
  /** Those who wait and are before it, in order. */
  readonly before: readonly Claim[];
  /** All others that hold memory; they may be left out as long as all that is asked for fits. */
  readonly holders: readonly Holder[];
}

export interface PlacementDecision {
  /** How many of those asked for may start now. */
  readonly grant: number;
  /** Who has to go so that the rest can start. */
  readonly evict: readonly Victim[];
  /** False: it would not fit with nothing else there. */
  readonly possible: boolean;
  /** What stands by has to go; `grant` and `evict` are what there is to do besides. */
  readonly endStandby?: boolean;
  /** When to ask again though nothing has changed but the time, ms since the epoch. */
  readonly again?: number;
}

/**
 * Who may start within the memory budget, in the order of waiting, and who goes for it: first what stands by, which is
 * nobody's, then what is idle, and for who has waited for too long what has been in use for longest.
 */
export function decidePlacement(
  seen: PlacementSeen,
  now: number,
): { decision: PlacementDecision; why: string } {
  const { standby = 0, used } = seen;
  const placed = place(seen, now);
  const { grant, evict, possible } = placed.decision;
  if (standby === 0 || grant === seen.asker.more || !possible) return placed;
  const without = place({ ...seen, used: used - standby }, now);
  const isUseful = without.decision.grant > grant;
  if (!isUseful && without.decision.evict.length >= evict.length) return placed;
  return {
    decision: { ...without.decision, endStandby: true },
    why: `${without.why}; what stands by goes`,
  };
}

function place(seen: PlacementSeen, now: number): { decision: PlacementDecision; why: string } {
  const { budget, used, asker, before, holders } = seen;
  const { bytesEach, more } = asker;
  const inUse = `${formatSize(used)} of ${formatSize(budget)} in use`;
  const asked = `${formatCount(more)} of ${formatSize(bytesEach)}`;
  if (bytesEach > budget) {
    const decision = { grant: 0, evict: [], possible: false };
    return { decision, why: `it can never fit: ${asked} asked for, ${inUse}` };
  }
  const outlook = lookAt(holders, now);
  const most = budget - outlook.pinned - outlook.stuck;
  const { room, coming, behind } = passLine(before, budget - used, outlook.coming, most, now);
  const grant = countFitting(room, bytesEach, more);
  if (grant === more) {
    return { decision: { grant, evict: [], possible: true }, why: `${asked} fit: ${inUse}` };
  }
  const after = { grant, behind, left: room + coming - grant * bytesEach };
  const next = makeRoom(seen, after, now);
  const line = before.length === 0 ? '' : `; ${describeLine(before)}`;
  return {
    decision: { grant, possible: true, ...next.decision },
    why: `${asked} asked for, ${inUse}; ${next.why}${line}`,
  };
}

/** What has to happen for those that do not fit yet. `left`: what is free or will be, after what is granted. */
function makeRoom(
  { asker, holders }: PlacementSeen,
  { grant, behind, left }: { grant: number; behind: Claim | undefined; left: number },
  now: number,
): { decision: Pick<PlacementDecision, 'evict' | 'again'>; why: string } {
  const { revision, bytesEach, more, since } = asker;
  if (behind) {
    const waited = formatDuration(now - (behind.since ?? now));
    return wait(`all is kept for ${behind.revision}, which has waited ${waited}`);
  }
  const coming = countFitting(left, bytesEach, more - grant);
  if (coming === more - grant) return wait(ON_ITS_WAY);
  const idle = chooseIdle(
    holders,
    `${revision} needs the memory`,
    (more - grant) * bytesEach - left,
    now,
  );
  const missing = (coming + 1) * bytesEach - left - sum(idle);
  if (missing <= 0) {
    const why = `the idle that are least worth it go first: ${namesOf(idle)}`;
    return { decision: { evict: idle }, why };
  }
  if (coming > 0) return wait(ON_ITS_WAY);
  if (grant === 0 && since !== undefined && isOverdue(asker, now)) {
    const needs = `${revision} has waited ${formatDuration(now - since)} for memory`;
    const inUse = chooseInUse(holders, needs, missing, now);
    if (sum(inUse) >= missing) {
      const why = `what has had its turn gives way: ${namesOf(inUse)}`;
      return { decision: { evict: [...idle, ...inUse] }, why };
    }
  }
  // Nobody goes for nothing: with all of them gone not one more would fit.
  const again = whenAgain(asker, holders, now);
  return {
    decision: { evict: [], ...(again < Infinity && { again }) },
    why: 'all of it is in use: waiting',
  };
}

const ON_ITS_WAY = 'waiting for what is on its way out';

function wait(why: string): ReturnType<typeof makeRoom> {
  return { decision: { evict: [] }, why };
}

function whenAgain({ since }: Claim, holders: readonly Holder[], now: number): number {
  if (since === undefined) return nextChoice(holders, false, now);
  const patience = since + PATIENCE_MS;
  const next = nextChoice(holders, true, now);
  return patience > now ? Math.min(next, patience) : next;
}

function describeLine(before: readonly Claim[]): string {
  const [first] = before;
  const others = before.length - 1;
  const rest = others === 0 ? '' : ` and ${others} ${others === 1 ? 'other' : 'others'}`;
  return `behind ${first?.revision}${rest}`;
}

function namesOf(victims: readonly Victim[]): string {
  return victims.map(({ revision }) => revision).join(', ');
}

function sum(victims: readonly Victim[]): number {
  return victims.reduce((total, { bytes }) => total + bytes, 0);
}
