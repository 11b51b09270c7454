import { formatDuration } from '#domain/units.ts';
import type { Holder } from './holders.ts';
import { stayMs, turnMs } from './turns.ts';

/** Who gives way, and why, as a clause about it. */
export interface Victim {
  readonly revision: string;
  readonly bytes: number;
  readonly why: string;
}

/**
 * Of those that nobody uses as many as it takes, those that were just started aside: first what is parked, then what
 * is least worth its memory, then the longest idle. `needs`: what for, as a clause. `now` Infinity: all of them.
 */
export function chooseIdle(
  holders: readonly Holder[],
  needs: string,
  short: number,
  now: number,
): readonly Victim[] {
  const idle = holders.filter((one) => isIdle(one) && staysUntil(one) <= now).toSorted(byUse);
  return takeUntil(idle, short).map((one) => {
    const { revision, bytes } = one;
    return { revision, bytes, why: `idle, and ${needs}: ${whyIdle(one, idle.length)}` };
  });
}

/**
 * Of those in use as many as it takes: whose turn began first goes first, and none before its turn is over. `now`
 * Infinity: whatever is left of it.
 */
export function chooseInUse(
  holders: readonly Holder[],
  needs: string,
  short: number,
  now: number,
): readonly Victim[] {
  const inUse = holders.filter((one) => isInUse(one) && turnEnds(one) <= now);
  const oldest = inUse.toSorted((a, b) => (a.readyAt ?? Infinity) - (b.readyAt ?? Infinity));
  return takeUntil(oldest, short).map(({ revision, bytes, startMs = 0 }) => {
    const turn = `its turn of ${formatDuration(turnMs(startMs))} is over`;
    return { revision, bytes, why: now < Infinity ? `${needs}, and ${turn}` : needs };
  });
}

/** When somebody may be chosen who may not be now; Infinity: time alone changes nothing. */
export function nextChoice(holders: readonly Holder[], mayTakeTurns: boolean, now: number): number {
  let next = Infinity;
  for (const one of holders) {
    const at = isIdle(one) ? staysUntil(one) : turnEnds(one);
    if (at > now && (isIdle(one) || mayTakeTurns)) next = Math.min(next, at);
  }
  return next;
}

function isIdle({ state, bytes }: Holder): boolean {
  return bytes > 0 && (state === 'idle' || state === 'parked');
}

function isInUse({ state, bytes }: Holder): boolean {
  return bytes > 0 && state === 'inUse';
}

function staysUntil({ state, readyAt = 0, startMs = 0 }: Holder): number {
  return state === 'parked' ? 0 : readyAt + stayMs(startMs);
}

/** What starts will have its turn. */
function turnEnds(one: Holder): number {
  const { readyAt, startMs = 0 } = one;
  return isInUse(one) && readyAt !== undefined ? readyAt + turnMs(startMs) : Infinity;
}

function takeUntil(holders: readonly Holder[], short: number): readonly Holder[] {
  const taken: Holder[] = [];
  let missing = short;
  for (const one of holders) {
    if (missing <= 0) break;
    taken.push(one);
    missing -= one.bytes;
  }
  return taken;
}

function byUse(a: Holder, b: Holder): number {
  const byState = Number(b.state === 'parked') - Number(a.state === 'parked');
  const [worth, other] = [a.worth ?? 0, b.worth ?? 0];
  // Two that are worth any price have no difference.
  const byWorth = worth === other ? 0 : worth - other;
  return byState || byWorth || a.idleSince - b.idleSince;
}

function whyIdle({ state, worth = 0 }: Pick<Holder, 'state' | 'worth'>, count: number): string {
  if (state === 'parked') return 'what is parked goes first';
  if (count === 1) return 'nothing else is idle';
  const most = worth > 0 && worth < Infinity ? 'least worth its memory' : 'longest idle';
  return `among the ${most} of ${count} that are idle`;
}
